//! What runs in slots: started by the agent through [`Launcher`], used by ingress and lattice as [`HostSlot`].

mod form;
mod launcher;
mod not_ready;
mod slot;
mod way;

pub(crate) use form::Forms;
pub(crate) use launcher::Launcher;
pub(crate) use not_ready::NotReady;
pub(crate) use slot::HostSlot;
pub(crate) use way::Way;
