//! One value has one spelling.

use proptest::prelude::*;

use super::*;

fn subjects() -> Subjects {
    Subjects::new("todo").unwrap()
}

#[test]
fn as_the_design_writes_them() {
    let (gcp, aws) = (HostId::new("gcp", "gcp-1"), HostId::new("aws", "aws-2"));
    let subjects = subjects();
    let call = subjects.call(&gcp, &aws, "todo", "wasi:http/handler@0.3.0.handle");
    assert_eq!(call, "todo.call.gcp.gcp-1.aws.aws-2.todo.wasi:http/handler@0%2E3%2E0%2Ehandle");
    let read = subjects.parse_call(&call).unwrap();
    assert_eq!((&read.to, &read.from), (&gcp, &aws));
    assert_eq!((read.component.as_str(), read.function.as_str()), ("todo", "wasi:http/handler@0.3.0.handle"));

    assert_eq!(subjects.calls_to(&gcp), "todo.call.gcp.gcp-1.*.*.*.*");
    assert_eq!(subjects.reply(&aws, "c1", "7"), "todo.reply.aws.aws-2.c1.7");
    assert_eq!(subjects.parse_reply("todo.reply.aws.aws-2.c1.7").unwrap().caller, aws);
    let beat = subjects.announcement(Announcement::Beat, &gcp);
    assert_eq!(beat, "todo.presence.beat.gcp.gcp-1");
    assert_eq!(subjects.parse_announcement(&beat), Some((Announcement::Beat, gcp.clone())));
    let ask = subjects.state_ask(&gcp, &aws);
    assert_eq!(ask, "todo.presence.ask.gcp.gcp-1.aws.aws-2");
    assert_eq!(subjects.parse_state_ask(&ask), Some((gcp.clone(), aws.clone())));
    assert_eq!(subjects.parse_announcement(&ask), None);
    let promise = subjects.promise(&gcp, &aws);
    assert_eq!(subjects.parse_promise(&promise), Some((gcp.clone(), aws)));
    assert_eq!(subjects.parse_nudge(&subjects.nudge(&gcp)), Some(gcp.clone()));
    assert_eq!(subjects.parse_trace(&subjects.trace(&gcp, "todo")), Some((gcp, "todo".to_owned())));
}

#[test]
fn refuses_what_is_not_one() {
    let subjects = subjects();
    for subject in [
        "",
        "todo",
        "todo.call",
        "other.call.gcp.g.aws.a.todo.f",
        "todo.call.gcp.g.aws.a.todo",
        "todo.call.gcp.g.aws.a.todo.f.f",
        "todo.call.gcp.g.aws.a.todo.",
        "todo.call.GCP.g.aws.a.todo.f",
        "todo.call.gcp.g.aws.a.to*do.f",
        "todo.call.gcp.g.aws.a.todo.%2e",
        "todo.call.gcp.g.aws.a.todo.%41",
        "todo.call.gcp.g.aws.a.todo.%2",
        "todo.call.gcp.g.aws.a.todo.%FF",
        "todo.call.gcp.g.aws.a.todo.*",
    ] {
        assert_eq!(subjects.parse_call(subject), None, "{subject:?}");
    }
    for subject in
        ["todo.reply.aws.a.c.", "todo.reply.aws.a.c.*", "todo.reply.aws.a.c", "todox.reply.aws.a.c.1"]
    {
        assert_eq!(subjects.parse_reply(subject), None, "{subject:?}");
    }
    assert_eq!(subjects.parse_announcement("todo.presence.hello.gcp.g"), None);
    assert!(Subjects::new("a.b").is_none() && Subjects::new("").is_none());
}

proptest! {
    #[test]
    fn any_function_is_one_token_and_reads_back(function in "\\PC{1,40}|[ -~]{1,40}") {
        let token = token::escape(&function);
        prop_assert!(token.bytes().all(|byte| byte.is_ascii_graphic() && !b".*>".contains(&byte)));
        prop_assert_eq!(token::unescape(&token), Some(function));
    }

    #[test]
    fn one_value_has_one_spelling(token in "[ -~]{0,12}|(%[0-9A-Fa-f]{2}){1,4}") {
        if let Some(text) = token::unescape(&token) {
            prop_assert_eq!(token::escape(&text), token);
        }
    }

    #[test]
    fn no_subject_panics(subject in "\\PC{0,80}|todo\\.(call|reply|presence|promise|trace|nudge)(\\.[a-z*>%0-9]{0,4}){0,9}") {
        let subjects = subjects();
        let _ = (subjects.parse_call(&subject), subjects.parse_reply(&subject), subjects.parse_trace(&subject));
        let _ = (subjects.parse_announcement(&subject), subjects.parse_state_ask(&subject));
        let _ = (subjects.parse_promise(&subject), subjects.parse_nudge(&subject));
    }
}
