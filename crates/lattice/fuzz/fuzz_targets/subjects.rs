//! Subjects: any text; what is read is written the same way again.
#![no_main]

use dunlin_lattice::subjects::Subjects;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|subject: &str| {
    let Some(subjects) = Subjects::new("todo") else { return };
    if let Some(call) = subjects.parse_call(subject) {
        assert_eq!(subjects.call(&call.to, &call.from, &call.component, &call.function), subject);
    }
    if let Some(reply) = subjects.parse_reply(subject) {
        assert_eq!(subjects.reply(&reply.caller, &reply.connection, &reply.id), subject);
    }
    if let Some((kind, host)) = subjects.parse_announcement(subject) {
        assert_eq!(subjects.announcement(kind, &host), subject);
    }
    if let Some((to, from)) = subjects.parse_state_ask(subject) {
        assert_eq!(subjects.state_ask(&to, &from), subject);
    }
    if let Some((to, from)) = subjects.parse_promise(subject) {
        assert_eq!(subjects.promise(&to, &from), subject);
    }
    if let Some(from) = subjects.parse_nudge(subject) {
        assert_eq!(subjects.nudge(&from), subject);
    }
    if let Some((from, component)) = subjects.parse_trace(subject) {
        assert_eq!(subjects.trace(&from, &component), subject);
    }
});
