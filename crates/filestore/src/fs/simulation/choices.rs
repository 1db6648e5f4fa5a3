//! What chance decides, in an order that can be repeated.

/// Decides what a power failure leaves. The first ones lose all that may be lost; [`advance`]
/// (Self::advance) goes through all possibilities, one by one.
#[derive(Clone, Debug, Default)]
pub struct Choices {
    /// What was picked, of how many.
    picks: Vec<(usize, usize)>,
    used: usize,
    chance: Option<u64>,
}

impl Choices {
    /// Choices by chance, the same for the same seed.
    pub fn seeded(seed: u64) -> Self {
        // The generator stands still at zero.
        Self { chance: Some(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1), ..Self::default() }
    }

    /// A number below `of`.
    pub(super) fn pick(&mut self, of: usize) -> usize {
        if let Some(state) = &mut self.chance {
            *state ^= *state << 13;
            *state ^= *state >> 7;
            *state ^= *state << 17;
            return (*state >> 33) as usize % of;
        }
        if self.used == self.picks.len() {
            self.picks.push((0, of));
        }
        self.used += 1;
        self.picks[self.used - 1].0
    }

    /// Goes on to the next possibility. False when that was the last, or they are by chance. What
    /// is decided must be the same in the same order, as far as the choices made are the same.
    pub fn advance(&mut self) -> bool {
        self.picks.truncate(self.used);
        self.used = 0;
        while let Some((pick, of)) = self.picks.pop() {
            if pick + 1 < of {
                self.picks.push((pick + 1, of));
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_possibility_has_its_turn_once() {
        let mut choices = Choices::default();
        let mut seen = Vec::new();
        loop {
            let first = choices.pick(2);
            let second = choices.pick(3);
            // How many there are to be made may depend on those before.
            let third = if first == 1 { choices.pick(2) } else { 0 };
            seen.push((first, second, third));
            if !choices.advance() {
                break;
            }
        }
        seen.dedup();
        assert_eq!(seen.len(), 3 + 6);
        assert!(seen.is_sorted());
    }

    #[test]
    fn chance_can_be_repeated() {
        let numbers = |seed| {
            let mut choices = Choices::seeded(seed);
            std::array::from_fn::<_, 32, _>(|_| choices.pick(3))
        };
        assert_eq!(numbers(7), numbers(7));
        assert_ne!(numbers(7), numbers(8));
        assert!((0..3).all(|number| numbers(0).contains(&number)));
    }
}
