//! Where desired state comes from, and the last good state.
