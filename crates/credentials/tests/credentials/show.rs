//! Credentials in words: everything about them but the secret.

use dunlin_credentials::{UserOptions, show};
use expect_test::expect;

use crate::world::{id, init, leaf};

/// Keys and times differ each time; what is said of them does not.
fn plain(text: &str) -> String {
    let word = |word: &str| {
        let key = word.len() == 56
            && word.chars().all(|letter| letter.is_ascii_uppercase() || letter.is_ascii_digit());
        let date = word.len() == 10 && word.starts_with("20");
        let time = word.len() == 5 && word.as_bytes()[2] == b':';
        match () {
            () if key => format!("{}…", &word[..1]),
            () if date => "DATE".to_owned(),
            () if time => "TIME".to_owned(),
            () => word.to_owned(),
        }
    };
    let line = |line: &str| line.split(' ').map(word).collect::<Vec<_>>().join(" ");
    text.lines().map(line).map(|line| format!("|{line}")).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_host_may_do_this_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let (credentials, _, _) = init(folder.path());
    let _server = leaf(&credentials, "aws");
    let path = credentials.host(&id("aws/aws-1"), UserOptions::default()).unwrap().path;
    let shown: Vec<_> = show(&path).unwrap().iter().map(ToString::to_string).collect();
    let seed = std::fs::read_to_string(&path).unwrap();
    let seed = seed.lines().find(|line| line.starts_with("SU")).unwrap().to_owned();
    assert!(!shown.concat().contains(&seed));
    expect![[r#"
        |user "host aws/aws-1", with its seed: secret
        |  key      U…
        |  signed   DATE TIME UTC by A…
        |  ends     never
        |  connects as a client
        |  may say:
        |    todo.presence.beat.aws.aws-1     show that aws/aws-1 is alive
        |    todo.presence.state.aws.aws-1    tell the state of aws/aws-1
        |    todo.presence.goodbye.aws.aws-1  say goodbye for aws/aws-1
        |    todo.presence.ask.*.*.aws.aws-1  ask any host for its state, as aws/aws-1
        |    todo.promise.*.*.aws.aws-1       ask and give promises to any host, as aws/aws-1
        |    todo.call.*.*.aws.aws-1.*.*      call any host, as aws/aws-1
        |    todo.reply.*.*.*.*               answer calls of any host
        |    todo.trace.aws.aws-1.*           tell of the calls that aws/aws-1 handles
        |    todo.nudge.aws.aws-1             tell of commits as aws/aws-1
        |    todo.watch.aws-1                 ask hosts to tell of their calls, as aws-1
        |    $SYS.REQ.ACCOUNT.PING.STATZ      ask its server whether that is linked to the hub
        |  hears:
        |    todo.presence.*.*.*              who is alive, and in what state
        |    todo.presence.ask.aws.aws-1.*.*  requests for the state of aws/aws-1
        |    todo.promise.aws.aws-1.*.*       promises asked of and given to aws/aws-1
        |    todo.call.aws.aws-1.*.*.*.*      calls to aws/aws-1
        |    todo.reply.aws.aws-1.*.*         answers to calls of aws/aws-1
        |    todo.watch.*                     who asks hosts to tell of their calls
        |    todo.trace.*.*.*                 what hosts tell of their calls
        |    todo.nudge.*.*                   what hosts tell of commits"#]]
    .assert_eq(&plain(&shown.join("\n")));
}

#[test]
fn every_file_of_the_directory_is_explained_or_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let (credentials, _, _) = init(folder.path());
    let _server = leaf(&credentials, "aws");
    let root = credentials.directory();
    for (file, says) in [
        ("authority.pem", "TLS authority"),
        ("hub/hub.conf", "listen"),
        ("hub/certificate.pem", "localhost"),
        ("hub/key.pem", "not shown"),
        ("leaf-aws/hub.creds", "may say"),
    ] {
        let shown: String = show(&root.join(file)).unwrap().iter().map(ToString::to_string).collect();
        assert!(shown.contains(says), "{file}: {shown}");
        assert!(!shown.contains("BEGIN"), "{file}: {shown}");
    }
    let error = show(&root.join(".gitignore")).unwrap_err().to_string();
    assert!(error.contains("there is no credential in it"), "{error}");
}
