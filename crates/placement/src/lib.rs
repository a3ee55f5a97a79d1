//! Pure: who is wanted where, and what may leave.
