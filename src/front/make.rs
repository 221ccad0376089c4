//! Pieces of SQL syntax that rewrites put together.

use datafusion_sql::sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident,
    JoinConstraint, JoinOperator, LambdaFunction, LambdaFunctionParameter, LambdaSyntax, ObjectName,
    OneOrManyWithParens, Value,
};

/// `name(args)`.
pub(super) fn call(name: &str, args: Vec<Expr>) -> Expr {
    let args = args.into_iter().map(|e| FunctionArg::Unnamed(FunctionArgExpr::Expr(e))).collect();
    let list = FunctionArgumentList { duplicate_treatment: None, args, clauses: Vec::new() };
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(list),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// `params -> body`.
pub(super) fn lambda(params: &[Ident], body: Expr) -> Expr {
    let params = params.iter().map(|name| LambdaFunctionParameter { name: name.clone(), data_type: None }).collect();
    Expr::Lambda(LambdaFunction {
        params: OneOrManyWithParens::Many(params),
        body: Box::new(body),
        syntax: LambdaSyntax::Arrow,
    })
}

/// `'text'`.
pub(super) fn text(value: impl Into<String>) -> Expr {
    Expr::Value(Value::SingleQuotedString(value.into()).into())
}

/// A number as written.
pub(super) fn number(value: impl ToString) -> Expr {
    Expr::Value(Value::Number(value.to_string(), false).into())
}

/// `"name"`: the column of exactly that name.
pub(super) fn quoted(name: impl Into<String>) -> Ident {
    Ident::with_quote('"', name)
}

/// `left op right`, in parentheses where it stands.
pub(super) fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    let (left, right) = (Box::new(left), Box::new(right));
    Expr::Nested(Box::new(Expr::BinaryOp { left, op, right }))
}

/// `NOT expr`, where `not` is set.
pub(super) fn negated(expr: Expr, not: bool) -> Expr {
    use datafusion_sql::sqlparser::ast::UnaryOperator::Not;
    if not { Expr::UnaryOp { op: Not, expr: Box::new(Expr::Nested(Box::new(expr))) } } else { expr }
}

/// Both conditions, of which one may be missing.
pub(super) fn and(one: Option<Expr>, other: Expr) -> Expr {
    match one {
        Some(one) => {
            let (left, right) = (Box::new(Expr::Nested(Box::new(one))), Box::new(Expr::Nested(Box::new(other))));
            Expr::BinaryOp { left, op: BinaryOperator::And, right }
        }
        None => other,
    }
}

/// The condition of a join.
pub(super) fn constraint_of(join: &mut JoinOperator) -> Option<&mut JoinConstraint> {
    use JoinOperator as J;
    match join {
        J::Join(c)
        | J::Inner(c)
        | J::Left(c)
        | J::LeftOuter(c)
        | J::Right(c)
        | J::RightOuter(c)
        | J::FullOuter(c)
        | J::CrossJoin(c)
        | J::Semi(c)
        | J::LeftSemi(c)
        | J::RightSemi(c)
        | J::Anti(c)
        | J::LeftAnti(c)
        | J::RightAnti(c)
        | J::StraightJoin(c) => Some(c),
        J::AsOf { constraint, .. } => Some(constraint),
        _ => None,
    }
}
