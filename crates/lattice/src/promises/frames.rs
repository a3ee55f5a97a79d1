//! Questions and answers on the wire. All travel on one subject that names both ends, so that the bus vouches for
//! who answers as well as for who asks.

use bytes::Bytes;
use dunlin_manifest::{HostId, is_dns_label};

use crate::subjects::Subjects;
use crate::wire::{self, WireError};

/// One message about a promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// Will your slot of this component stay?
    Ask {
        /// Random; the answer repeats it.
        id: u64,
        /// The component.
        component: String,
    },
    /// The answer.
    Answer {
        /// Of the question.
        id: u64,
        /// Whether it stays.
        yes: bool,
    },
    /// The answer is needed no longer.
    Done {
        /// Of the question.
        id: u64,
        /// The component.
        component: String,
    },
}

/// Why a message was refused; nothing was done with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The subject is not one about promises to this host.
    #[error("the subject is not about promises of this host")]
    Subject,
    /// The frame is not one, or of another version.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// A frame that neither asks, nor answers, nor ends: of a newer release.
    #[error("a kind of message about promises that this release does not know")]
    Kind,
    /// The component's name is not a name.
    #[error("the component's name is not a DNS label")]
    Component,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct PromiseFrame {
    #[prost(fixed64, tag = "1")]
    id: u64,
    #[prost(oneof = "Body", tags = "2, 3, 4")]
    body: Option<Body>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Body {
    #[prost(string, tag = "2")]
    Ask(String),
    #[prost(bool, tag = "3")]
    Answer(bool),
    #[prost(string, tag = "4")]
    Done(String),
}

/// Reads a message about promises to `me`; returns who sent it.
///
/// # Errors
/// [`Refused`], with what is wrong.
pub fn read(
    subjects: &Subjects,
    me: &HostId,
    subject: &str,
    payload: Bytes,
) -> Result<(HostId, Frame), Refused> {
    let (to, from) = subjects.parse_promise(subject).ok_or(Refused::Subject)?;
    if to != *me {
        return Err(Refused::Subject);
    }
    let PromiseFrame { id, body } = wire::decode(payload)?;
    let frame = match body.ok_or(Refused::Kind)? {
        Body::Ask(component) => Frame::Ask { id, component: name(component)? },
        Body::Answer(yes) => Frame::Answer { id, yes },
        Body::Done(component) => Frame::Done { id, component: name(component)? },
    };
    Ok((from, frame))
}

pub(super) fn write(frame: &Frame) -> PromiseFrame {
    let (id, body) = match frame {
        Frame::Ask { id, component } => (*id, Body::Ask(component.clone())),
        Frame::Answer { id, yes } => (*id, Body::Answer(*yes)),
        Frame::Done { id, component } => (*id, Body::Done(component.clone())),
    };
    PromiseFrame { id, body: Some(body) }
}

fn name(component: String) -> Result<String, Refused> {
    if is_dns_label(&component) { Ok(component) } else { Err(Refused::Component) }
}
