//! The static order of stages: depth first from the result, so that a stage runs soon before the one that reads it.
//!
//! ```text
//!        s5 result                 visited from s5, inputs in the order in which `after` lists them:
//!       /         \
//!    s3 join     s4 scan            s0 build, s1 scan, s3 join, s4 scan, s5 result
//!    /     \                        s2 is nobody's input: it comes last, after all that the result needs
//! s0 build  s1 scan     s2
//! ```
//!
//! A join lists its build side before its probe side and a union its inputs in their order; that is all it takes for
//! builds to come first and for unions to keep the order of their inputs.

use crate::ids::StageId;

/// The order in which stages should run when several could: every stage after all that it waits for, the inputs of the
/// last stage first. `after[i]` is what stage `i` waits for; a number that is not smaller than `i` is left out.
pub fn depth_first(after: &[Vec<StageId>]) -> Vec<StageId> {
    let mut walk = Walk { after, seen: vec![false; after.len()], order: Vec::with_capacity(after.len()) };
    // The result is the last stage. What it does not reach still has to run: those follow, the latest made first.
    for root in (0..after.len()).rev() {
        walk.visit(root);
    }
    walk.order
}

struct Walk<'a> {
    after: &'a [Vec<StageId>],
    seen: Vec<bool>,
    order: Vec<StageId>,
}

impl Walk<'_> {
    /// Puts `root` and all it needs into the order. A stack of its own: chains of stages may be long.
    fn visit(&mut self, root: usize) {
        let mut stack = Vec::new();
        self.enter(root, &mut stack);
        while let Some((stage, next)) = stack.pop() {
            match self.after[stage].get(next) {
                Some(input) => {
                    stack.push((stage, next + 1));
                    let input = input.0 as usize;
                    if input < stage {
                        self.enter(input, &mut stack);
                    }
                }
                None => self.order.push(StageId(stage as u32)),
            }
        }
    }

    fn enter(&mut self, stage: usize, stack: &mut Vec<(usize, usize)>) {
        if !std::mem::replace(&mut self.seen[stage], true) {
            stack.push((stage, 0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(after: &[&[u32]]) -> Vec<u32> {
        let after: Vec<Vec<StageId>> = after.iter().map(|a| a.iter().map(|s| StageId(*s)).collect()).collect();
        depth_first(&after).iter().map(|s| s.0).collect()
    }

    #[test]
    fn a_branch_is_finished_before_the_next_begins() {
        // Two chains of two under a join.
        assert_eq!(order(&[&[], &[], &[0], &[1], &[2, 3]]), [0, 2, 1, 3, 4]);
    }

    #[test]
    fn a_build_listed_first_runs_first_though_made_later() {
        assert_eq!(order(&[&[], &[], &[1, 0]]), [1, 0, 2]);
    }

    #[test]
    fn a_diamond_runs_its_top_once() {
        assert_eq!(order(&[&[], &[0], &[0], &[1, 2]]), [0, 1, 2, 3]);
    }

    #[test]
    fn a_union_keeps_the_order_of_its_inputs() {
        assert_eq!(order(&[&[], &[], &[], &[0, 1, 2]]), [0, 1, 2, 3]);
        assert_eq!(order(&[&[], &[], &[], &[2, 0, 1]]), [2, 0, 1, 3]);
    }

    #[test]
    fn a_chain_of_merges_takes_one_scan_at_a_time() {
        // Scans 0, 1, 3, 5; merges 2 = 0+1, 4 = 2+3, 6 = 4+5.
        assert_eq!(order(&[&[], &[], &[0, 1], &[], &[2, 3], &[], &[4, 5]]), [0, 1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn what_the_result_does_not_need_comes_last() {
        assert_eq!(order(&[&[], &[], &[0]]), [0, 2, 1]);
    }

    #[test]
    fn nonsense_and_long_chains_do_not_hang_or_overflow() {
        assert_eq!(order(&[&[0, 7], &[1, 0]]), [0, 1]);
        assert!(order(&[]).is_empty());
        let chain: Vec<Vec<StageId>> =
            (0..200_000u32).map(|i| i.checked_sub(1).map(StageId).into_iter().collect()).collect();
        assert_eq!(depth_first(&chain).len(), chain.len());
    }
}
