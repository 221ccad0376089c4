//! From the text of a program to a tree of ops, if it has only what runs natively.

use super::super::regex;
use super::super::scan::Wanted;
use super::{Function, Function1, Into, Native, Op, Step};
use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Term};
use jaq_core::path::{Opt, Part, Path};

/// Deepest nesting of ops; deeper programs are left to jaq, whose stack is watched.
const MOST_DEPTH: usize = 64;

/// The longest text of a program that is run without counting.
const MOST_LIGHT: usize = 512;

pub(super) fn lower(program: &str, names: &[String]) -> Option<Native> {
    let term = jaq_core::load::parse(program, |p| p.term())?;
    let mut lowering = Lowering { wanted: Wanted::default(), names, depth: 0 };
    let op = lowering.op(&term, true)?;
    let is_light = program.len() <= MOST_LIGHT && op.is_light();
    Some(Native { op, wanted: lowering.wanted, is_light })
}

struct Lowering<'a> {
    wanted: Wanted,
    names: &'a [String],
    depth: usize,
}

impl Op {
    /// Whether it puts out exactly one value, or fails.
    pub(super) fn is_single(&self) -> bool {
        match self {
            Op::Empty | Op::Recurse | Op::Comma(..) | Op::Try(_) | Op::Select(_) => false,
            Op::Steps(from, steps) => {
                from.is_single() && steps.iter().all(|s| !s.optional && !matches!(s.into, Into::Each))
            }
            Op::Pipe(a, b) | Op::Alternative(a, b) => a.is_single() && b.is_single(),
            Op::If(_, then, other) => then.is_single() && other.is_single(),
            _ => true,
        }
    }

    /// Whether all that it puts out is its input.
    fn passes_on(&self) -> bool {
        match self {
            Op::Id | Op::Select(_) => true,
            Op::Pipe(a, b) => a.passes_on() && b.passes_on(),
            _ => false,
        }
    }

    /// Whether it does work that is bounded by the size of the item, and puts out no more than that, a few times.
    fn is_light(&self) -> bool {
        match self {
            Op::Id
            | Op::Empty
            | Op::Null
            | Op::Bool(_)
            | Op::Int(_)
            | Op::Number(_)
            | Op::Text(_)
            | Op::Constant(_) => true,
            Op::Wanted(_) => true,
            Op::Object(fields) => fields.iter().all(|(_, field)| field.is_light()),
            Op::Steps(from, steps) => from.is_light() && steps.iter().all(|s| !matches!(s.into, Into::Each)),
            // What one makes larger the other could make larger again.
            Op::Pipe(a, b) => a.is_light() && b.is_light() && !(a.enlarges() && b.enlarges()),
            Op::And(a, b) | Op::Or(a, b) | Op::Alternative(a, b) | Op::Compare(a, _, b) => a.is_light() && b.is_light(),
            Op::Comma(a, b) => a.is_light() && b.is_light(),
            Op::If(condition, then, other) => condition.is_light() && then.is_light() && other.is_light(),
            Op::Select(inside) | Op::Neg(inside) | Op::Try(inside) => inside.is_light(),
            Op::Call(Function::Not | Function::Length | Function::Type | Function::ToNumber) => true,
            Op::Call1(Function1::Has | Function1::StartsWith | Function1::EndsWith, other) => other.is_light(),
            Op::Test(_) => true,
            _ => false,
        }
    }

    /// Whether it makes values that are larger than its input.
    fn enlarges(&self) -> bool {
        match self {
            Op::Object(_) | Op::Comma(..) => true,
            Op::Steps(inside, _) | Op::Select(inside) | Op::Neg(inside) | Op::Try(inside) => inside.enlarges(),
            Op::Pipe(a, b) | Op::Alternative(a, b) => a.enlarges() || b.enlarges(),
            Op::If(_, then, other) => then.enlarges() || other.enlarges(),
            _ => false,
        }
    }

    fn single(self) -> Option<Op> {
        self.is_single().then_some(self)
    }
}

fn boxed(op: Op) -> Box<Op> {
    Box::new(op)
}

impl Lowering<'_> {
    /// `item`: the input is the item itself.
    fn op(&mut self, term: &Term<&str>, item: bool) -> Option<Op> {
        if self.depth >= MOST_DEPTH {
            return None;
        }
        self.depth += 1;
        let op = self.op_at(term, item);
        self.depth -= 1;
        op
    }

    fn single(&mut self, term: &Term<&str>, item: bool) -> Option<Op> {
        self.op(term, item)?.single()
    }

    fn op_at(&mut self, term: &Term<&str>, item: bool) -> Option<Op> {
        Some(match term {
            Term::Id => Op::Id,
            Term::Recurse => Op::Recurse,
            Term::Num(text) => number(text),
            Term::Str(None, parts) => self.text(parts, item)?,
            Term::Arr(None) => Op::Array(None),
            Term::Arr(Some(inside)) => Op::Array(Some(boxed(self.op(inside, item)?))),
            Term::Obj(fields) => self.object(fields, item)?,
            Term::Neg(term) => Op::Neg(boxed(self.single(term, item)?)),
            Term::BinOp(l, op, r) => self.binary(l, op, r, item)?,
            Term::TryCatch(body, None) => Op::Try(boxed(self.op(body, item)?)),
            Term::IfThenElse(cases, other) => self.cases(cases, other.as_deref(), item)?,
            Term::Call(name, arguments) => self.call(name, arguments, item)?,
            Term::Var(name) => Op::Constant(self.names.iter().position(|n| n == name)?),
            Term::Path(from, path) => self.path(from, path, item)?,
            _ => return None,
        })
    }

    fn text(&mut self, parts: &[StrPart<&str, Term<&str>>], item: bool) -> Option<Op> {
        if let Some(text) = constant(parts) {
            return Some(Op::Text(text.into_bytes().into()));
        }
        let parts = parts.iter().map(|part| match part {
            StrPart::Str(text) => Some(Op::Text(text.as_bytes().into())),
            StrPart::Char(c) => Some(Op::Text(c.to_string().into_bytes().into())),
            StrPart::Term(term) => self.single(term, item),
        });
        Some(Op::Join(parts.collect::<Option<_>>()?))
    }

    fn object(&mut self, fields: &[(Term<&str>, Option<Term<&str>>)], item: bool) -> Option<Op> {
        let mut made: Vec<(Box<[u8]>, Op)> = Vec::new();
        for (key, value) in fields {
            let (name, value) = match (key, value) {
                (Term::Str(None, parts), Some(value)) => (constant(parts)?, self.single(value, item)?),
                (Term::Str(None, parts), None) => {
                    let name = constant(parts)?;
                    let steps = vec![Step { into: Into::Key(name.as_bytes().into()), optional: false }];
                    let value = self.steps(Op::Id, steps, item);
                    (name, value)
                }
                (Term::Var(name), None) => (name.strip_prefix('$')?.to_string(), self.single(key, item)?),
                _ => return None,
            };
            let name: Box<[u8]> = name.into_bytes().into();
            if made.iter().any(|(other, _)| *other == name) {
                return None;
            }
            made.push((name, value));
        }
        Some(Op::Object(made))
    }

    fn binary(&mut self, l: &Term<&str>, op: &BinaryOp<&str>, r: &Term<&str>, item: bool) -> Option<Op> {
        Some(match op {
            BinaryOp::Pipe(None) => {
                let l = self.op(l, item)?;
                let r = self.op(r, item && l.passes_on())?;
                Op::Pipe(boxed(l), boxed(r))
            }
            BinaryOp::Comma => Op::Comma(boxed(self.op(l, item)?), boxed(self.op(r, item)?)),
            BinaryOp::Alt => Op::Alternative(boxed(self.op(l, item)?), boxed(self.op(r, item)?)),
            BinaryOp::And => Op::And(boxed(self.single(l, item)?), boxed(self.single(r, item)?)),
            BinaryOp::Or => Op::Or(boxed(self.single(l, item)?), boxed(self.single(r, item)?)),
            BinaryOp::Math(op) => Op::Math(boxed(self.single(l, item)?), *op, boxed(self.single(r, item)?)),
            BinaryOp::Cmp(op) => Op::Compare(boxed(self.single(l, item)?), *op, boxed(self.single(r, item)?)),
            _ => return None,
        })
    }

    fn cases(&mut self, cases: &[(Term<&str>, Term<&str>)], other: Option<&Term<&str>>, item: bool) -> Option<Op> {
        let mut made = match other {
            Some(other) => self.op(other, item)?,
            None => Op::Id,
        };
        for (condition, then) in cases.iter().rev() {
            let (condition, then) = (self.single(condition, item)?, self.op(then, item)?);
            made = Op::If(boxed(condition), boxed(then), boxed(made));
        }
        Some(made)
    }

    fn path(&mut self, from: &Term<&str>, path: &Path<Term<&str>>, item: bool) -> Option<Op> {
        let from = self.op(from, item)?;
        let steps = path.0.iter().map(|(part, opt)| {
            let into = match part {
                Part::Index(Term::Str(None, parts)) => Into::Key(constant(parts)?.into_bytes().into()),
                Part::Index(Term::Num(text)) => Into::At(text.parse().ok()?),
                Part::Index(Term::Neg(term)) => match &**term {
                    Term::Num(text) => Into::At(text.parse::<isize>().ok()?.checked_neg()?),
                    _ => return None,
                },
                Part::Range(None, None) => Into::Each,
                _ => return None,
            };
            Some(Step { into, optional: matches!(opt, Opt::Optional) })
        });
        let steps = steps.collect::<Option<Vec<_>>>()?;
        Some(self.steps(from, steps, item))
    }

    /// The first fields of the item are found while it is read. The first element of an array that has one is what it has.
    fn steps(&mut self, from: Op, mut steps: Vec<Step>, item: bool) -> Op {
        let is_first = matches!(steps.first(), Some(Step { into: Into::At(0), optional: false }));
        let from = match from {
            Op::Array(Some(inside)) if is_first && inside.is_single() => {
                steps.remove(0);
                *inside
            }
            from => from,
        };
        if steps.is_empty() {
            return from;
        }
        if !item || !matches!(from, Op::Id) {
            return Op::Steps(boxed(from), steps);
        }
        let (mut node, mut nodes) = (0, Vec::new());
        let mut rest = steps.into_iter().peekable();
        while let Some(Step { into: Into::Key(key), .. }) =
            rest.next_if(|s| matches!(s.into, Into::Key(_)) && !s.optional)
        {
            node = self.wanted.field(node, &key);
            nodes.push(node);
        }
        let rest: Vec<Step> = rest.collect();
        match (nodes.is_empty(), rest.is_empty()) {
            (true, _) => Op::Steps(boxed(Op::Id), rest),
            (false, true) => Op::Wanted(nodes),
            (false, false) => Op::Steps(boxed(Op::Wanted(nodes)), rest),
        }
    }

    fn call(&mut self, name: &str, arguments: &[Term<&str>], item: bool) -> Option<Op> {
        let each = || Step { into: Into::Each, optional: false };
        Some(match (name, arguments) {
            ("empty", []) => Op::Empty,
            ("null", []) => Op::Null,
            ("true", []) => Op::Bool(true),
            ("false", []) => Op::Bool(false),
            ("select", [f]) => Op::Select(boxed(self.single(f, item)?)),
            ("map", [f]) => {
                let f = self.op(f, false)?;
                Op::Array(Some(boxed(Op::Pipe(boxed(Op::Steps(boxed(Op::Id), vec![each()])), boxed(f)))))
            }
            ("recurse", []) => Op::Recurse,
            ("first", []) => Op::Steps(boxed(Op::Id), vec![Step { into: Into::At(0), optional: false }]),
            ("last", []) => Op::Steps(boxed(Op::Id), vec![Step { into: Into::At(-1), optional: false }]),
            ("values", []) => Op::Select(boxed(Op::Compare(boxed(Op::Id), jaq_core::ops::Cmp::Ne, boxed(Op::Null)))),
            ("test", [pattern]) => Op::Test(Box::new(regex::compile(&literal(pattern)?, "").ok()?)),
            ("test", [pattern, flags]) => {
                Op::Test(Box::new(regex::compile(&literal(pattern)?, &literal(flags)?).ok()?))
            }
            (_, []) => Op::Call(function(name)?),
            (_, [other]) => Op::Call1(function1(name)?, boxed(self.single(other, item)?)),
            _ => return None,
        })
    }
}

fn function(name: &str) -> Option<Function> {
    Some(match name {
        "not" => Function::Not,
        "length" => Function::Length,
        "keys" => Function::Keys,
        "to_entries" => Function::ToEntries,
        "type" => Function::Type,
        "tostring" => Function::ToString,
        "tonumber" => Function::ToNumber,
        "add" => Function::Add,
        "ascii_downcase" => Function::Downcase,
        "ascii_upcase" => Function::Upcase,
        _ => return None,
    })
}

fn function1(name: &str) -> Option<Function1> {
    Some(match name {
        "has" => Function1::Has,
        "startswith" => Function1::StartsWith,
        "endswith" => Function1::EndsWith,
        "contains" => Function1::Contains,
        "ltrimstr" => Function1::LeftTrim,
        "rtrimstr" => Function1::RightTrim,
        "split" => Function1::Split,
        _ => return None,
    })
}

/// A text without terms in it.
fn constant(parts: &[StrPart<&str, Term<&str>>]) -> Option<String> {
    let mut made = String::new();
    for part in parts {
        match part {
            StrPart::Str(text) => made.push_str(text),
            StrPart::Char(c) => made.push(*c),
            StrPart::Term(_) => return None,
        }
    }
    Some(made)
}

fn literal(term: &Term<&str>) -> Option<String> {
    if let Term::Str(None, parts) = term { constant(parts) } else { None }
}

fn number(text: &str) -> Op {
    text.parse().map_or_else(|_| Op::Number(text.into()), Op::Int)
}
