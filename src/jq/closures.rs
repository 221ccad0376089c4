//! Finds functions that take filters and call themselves with filters: `def f(g): f(g | .a);`.

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Def, Pattern, Term};
use jaq_core::path::Part;

/// Whether the program has such a function.
pub(super) fn recursive(program: &str) -> bool {
    jaq_core::load::parse(program, |p| p.term()).is_some_and(|term| {
        any(&term, &mut |t| match t {
            Term::Def(defs, _) => defs.iter().any(calls_itself),
            _ => false,
        })
    })
}

fn calls_itself(def: &Def<&str>) -> bool {
    let takes = def.args.iter().any(|arg| !arg.starts_with('$'));
    takes && any(&def.body, &mut |t| matches!(t, Term::Call(name, args) if *name == def.name && !args.is_empty()))
}

/// Whether `test` holds of the term or of one in it.
fn any<'a>(term: &'a Term<&'a str>, test: &mut dyn FnMut(&Term<&'a str>) -> bool) -> bool {
    if test(term) {
        return true;
    }
    match term {
        Term::Str(_, parts) => parts.iter().any(|part| matches!(part, StrPart::Term(t) if any(t, test))),
        Term::Arr(Some(t)) | Term::Neg(t) | Term::Label(_, t) => any(t, test),
        Term::Obj(fields) => fields.iter().any(|(k, v)| any(k, test) || v.as_ref().is_some_and(|v| any(v, test))),
        Term::BinOp(l, op, r) => {
            let bound = matches!(op, BinaryOp::Pipe(Some(pattern)) if in_pattern(pattern, test));
            bound || any(l, test) || any(r, test)
        }
        Term::Fold(_, xs, pattern, args) => {
            any(xs, test) || in_pattern(pattern, test) || args.iter().any(|t| any(t, test))
        }
        Term::TryCatch(t, catch) => any(t, test) || catch.as_ref().is_some_and(|t| any(t, test)),
        Term::IfThenElse(cases, other) => {
            cases.iter().any(|(a, b)| any(a, test) || any(b, test)) || other.as_ref().is_some_and(|t| any(t, test))
        }
        Term::Def(defs, t) => defs.iter().any(|def| any(&def.body, test)) || any(t, test),
        Term::Call(_, args) => args.iter().any(|t| any(t, test)),
        Term::Path(t, path) => {
            any(t, test)
                || path.0.iter().any(|(part, _)| match part {
                    Part::Index(t) => any(t, test),
                    Part::Range(a, b) => [a, b].into_iter().flatten().any(|t| any(t, test)),
                })
        }
        _ => false,
    }
}

fn in_pattern<'a>(pattern: &'a Pattern<&'a str>, test: &mut dyn FnMut(&Term<&'a str>) -> bool) -> bool {
    match pattern {
        Pattern::Var(_) => false,
        Pattern::Arr(parts) => parts.iter().any(|part| in_pattern(part, test)),
        Pattern::Obj(fields) => fields.iter().any(|(key, part)| any(key, test) || in_pattern(part, test)),
    }
}

#[cfg(test)]
mod tests {
    use super::recursive;

    #[test]
    fn functions_that_hand_filters_on_to_themselves_are_found() {
        for program in
            ["def f(g): f(g); f(.)", ". | (def r(f): ., (f | r(f)); r(.a))", "[def f($x; g): {a: f(1; g)}; f(1; .)]"]
        {
            assert!(recursive(program), "{program}");
        }
        for program in ["def f(g): [g]; f(f(.))", "def f: .a | f; f", "def f($x): f($x + 1); f(1)", "map(.a)"] {
            assert!(!recursive(program), "{program}");
        }
    }
}
