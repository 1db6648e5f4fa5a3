//! What an acknowledgement means.

/// What acknowledged bytes and records survive. The order of steps and the atomicity of each are the
/// same in both settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Durability {
    /// The loss of power: bytes are synced before the record that names them is committed, and
    /// that commit is synced before it is acknowledged.
    #[default]
    Full,
    /// A killed process, and not the loss of power: nothing waits for the disk. After an unclean
    /// end of the machine the newest changes may be gone; a blob that is short is refused and never
    /// served.
    Relaxed,
}
