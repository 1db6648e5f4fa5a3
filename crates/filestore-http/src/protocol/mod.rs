//! What HTTP itself says and no dialect does.
