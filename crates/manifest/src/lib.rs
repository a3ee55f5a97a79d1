//! What Git says: types, parsing, validation, schema.
