//! Who gives memory back.

use crate::ids::ReservationId;
use crate::memory::Claim;

/// The answer of [`victim`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The starving reservation has the most to give: it spills its own.
    Oneself,
    /// This other one is asked.
    Other(ReservationId),
    /// Nobody has anything to give.
    Nobody,
}

/// The revocable reservation that holds most above its floor, of equal ones the oldest; those in `tried` were asked
/// already and gave nothing since. A floor is not taken from others, but who starves on its own floor may have full pages
/// there that it can write out.
pub fn victim(claims: &[Claim], starving: ReservationId, tried: &[ReservationId]) -> Choice {
    let above = |c: &Claim| c.held.saturating_sub(c.floor);
    let best = claims
        .iter()
        .filter(|c| c.revocable && above(c) > 0 && !tried.contains(&c.id))
        .min_by_key(|c| (std::cmp::Reverse(above(c)), c.id));
    let own = claims.iter().any(|c| c.id == starving && c.revocable && c.held > 0) && !tried.contains(&starving);
    match best {
        None if own => Choice::Oneself,
        None => Choice::Nobody,
        Some(c) if c.id == starving => Choice::Oneself,
        Some(c) => Choice::Other(c.id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(id: u32, held: usize, floor: usize, revocable: bool) -> Claim {
        Claim { id: ReservationId(id), held, floor, revocable }
    }

    #[test]
    fn the_largest_above_its_floor_gives() {
        let (own, none) = (ReservationId(0), [].as_slice());
        let claims = [claim(0, 10, 0, true), claim(1, 100, 95, true), claim(2, 30, 0, false), claim(3, 20, 0, true)];
        assert_eq!(victim(&claims, own, none), Choice::Other(ReservationId(3)));
        assert_eq!(victim(&claims, own, &[ReservationId(3)]), Choice::Oneself);
        assert_eq!(victim(&claims, own, &[ReservationId(3), own]), Choice::Other(ReservationId(1)));
        assert_eq!(victim(&claims, own, &[ReservationId(3), own, ReservationId(1)]), Choice::Nobody);
    }

    #[test]
    fn of_equal_ones_the_oldest_gives() {
        let claims = [claim(2, 10, 0, true), claim(1, 10, 0, true)];
        assert_eq!(victim(&claims, ReservationId(2), &[]), Choice::Other(ReservationId(1)));
    }

    #[test]
    fn a_floor_is_never_taken() {
        let claims = [claim(0, 10, 10, true), claim(1, 3, 9, true)];
        assert_eq!(victim(&claims, ReservationId(2), &[]), Choice::Nobody);
        assert_eq!(victim(&claims, ReservationId(0), &[]), Choice::Oneself, "its own floor it may use anew");
        assert_eq!(victim(&claims, ReservationId(0), &[ReservationId(0)]), Choice::Nobody);
    }
}
