//! Mistakes that the simulation makes on purpose, to prove that it would notice them. All off in production.

/// Which rules to break. Each is looked at in exactly one place.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bugs {
    /// Leaves when presence shows enough others, without asking them.
    pub stop_on_presence: bool,
    /// Leaves though it promised another to stay.
    pub break_promises: bool,
    /// Counts a yes however long ago it was asked for.
    pub trust_stale_yes: bool,
    /// Says yes as if it were not draining.
    pub forget_own_drain: bool,
    /// Judges others and starts slots though it does not hear.
    pub judge_while_deaf: bool,
    /// Counts the hosts of `replicas: all` that can be heard now instead of those that may be there.
    pub count_only_the_seen: bool,
    /// Starts what it ran when it stopped, though a confirmed neighbour wants something else.
    pub resurrect: bool,
    /// Counts a silent host as a candidate, as it last showed itself.
    pub trust_stale_beats: bool,
    /// Takes the old instance down before the new one is ready.
    pub update_in_place: bool,
    /// Runs what it stands in for instead of what its site is asked for itself.
    pub failover_replaces: bool,
    /// Takes the silence of sites that it could not hear for theirs.
    pub failover_while_deaf: bool,
    /// Takes the silence of all other sites for theirs, though its own has no link to the hub.
    pub failover_while_cut_off: bool,
    /// Ends what it stands in for when the home beats again.
    pub failover_forgets_back: bool,
}
