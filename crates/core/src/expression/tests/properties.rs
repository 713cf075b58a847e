//! Properties over generated expressions: no panic, print and parse are inverse, two evaluations agree.

use proptest::prelude::*;

use super::super::*;
use super::{Sample, Thing, thing};

fn any_literal() -> impl Strategy<Value = Literal> {
    prop_oneof![
        ".{0,8}".prop_map(Literal::Text),
        "[\\\\'\"a]{0,6}".prop_map(Literal::Text),
        any::<i64>().prop_map(Literal::Int),
        (-1.0e300..1.0e300).prop_map(Literal::Float),
        any::<bool>().prop_map(Literal::Bool),
        Just(Literal::Null),
    ]
}

fn any_comparison() -> impl Strategy<Value = Comparison> {
    use Comparison::{Eq, Ge, Gt, Le, Lt, Ne};
    prop::sample::select(vec![Eq, Ne, Lt, Le, Gt, Ge])
}

fn at<T>(it: T) -> At<T> {
    At { it, position: 0 }
}

fn path(text: &str) -> At<Path> {
    at(Path(text.split('.').map(str::to_owned).collect()))
}

/// Trees over the given conditions, in the shape that the parser gives.
fn any_tree(condition: BoxedStrategy<Expr>) -> impl Strategy<Value = Expr> {
    condition.prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expr::And),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expr::Or),
            inner.prop_map(|inner| Expr::Not(Box::new(inner))),
        ]
    })
}

fn any_condition() -> BoxedStrategy<Expr> {
    let any_path = || "f[a-z]{0,3}(\\.[a-z0-9_/é-]{1,4}){0,2}".prop_map(|text| path(&text));
    prop_oneof![
        (any_path(), any_comparison(), any_literal()).prop_map(|(path, op, value)| Expr::Compare {
            path,
            op,
            value: at(value)
        }),
        (
            any_path(),
            prop::collection::vec(any_literal().prop_map(at), 1..4),
            any::<bool>()
        )
            .prop_map(|(path, values, negated)| Expr::In { path, values, negated }),
        (any_path(), ".{0,8}").prop_map(|(path, text)| Expr::Like { path, text }),
        any_path().prop_map(|path| Expr::Exists { path }),
    ]
    .boxed()
}

/// Conditions that the table of [`Sample`] accepts, over so few values that they often hold.
fn sample_condition() -> BoxedStrategy<Expr> {
    let word = || prop::sample::select(vec!["a", "b", "c", "ab"]);
    let text_path = || prop::sample::select(vec!["id", "tags.x", "tags.y"]).prop_map(path);
    let literal = |text: &str| at(Literal::Text(text.to_owned()));
    prop_oneof![
        (text_path(), any_comparison(), word()).prop_map(move |(path, op, text)| Expr::Compare {
            path,
            op,
            value: literal(text)
        }),
        (any_comparison(), -3..1_i64).prop_map(|(op, ms)| Expr::Compare {
            path: path("time"),
            op,
            value: at(Literal::Int(ms))
        }),
        (
            text_path(),
            prop::collection::vec(word().prop_map(literal), 1..3),
            any::<bool>()
        )
            .prop_map(|(path, values, negated)| Expr::In { path, values, negated }),
        (text_path(), word()).prop_map(|(path, text)| Expr::Like {
            path,
            text: text.to_uppercase()
        }),
        text_path().prop_map(|path| Expr::Exists { path }),
    ]
    .boxed()
}

fn any_thing() -> impl Strategy<Value = Thing> {
    let word = || prop::sample::select(vec!["a", "b", "c", "ab"]).prop_map(str::to_owned);
    let tags = prop::collection::btree_map(
        prop::sample::select(vec!["x", "y"]).prop_map(str::to_owned),
        word(),
        0..3,
    );
    (prop::option::of(word()), -3..1_i64, tags).prop_map(|(id, time, tags)| Thing {
        id,
        time,
        tags,
        ..thing()
    })
}

/// The meaning of an expression written down a second time, straight over the untyped tree.
fn naive(expr: &Expr, thing: &Thing) -> bool {
    let text = |path: &At<Path>| match path.it.to_string().as_str() {
        "id" => thing.id.clone(),
        other => thing.tags.get(&other["tags.".len()..]).cloned(),
    };
    let literal = |value: &At<Literal>| match &value.it {
        Literal::Text(text) => text.clone(),
        other => panic!("not generated: {other}"),
    };
    match expr {
        Expr::And(members) => members.iter().filter(|member| !naive(member, thing)).count() == 0,
        Expr::Or(members) => members.iter().filter(|member| naive(member, thing)).count() > 0,
        Expr::Not(inner) => !naive(inner, thing),
        Expr::Compare {
            op,
            value: At {
                it: Literal::Int(ms), ..
            },
            ..
        } => naive_compare(*op, &Some(thing.time), ms),
        Expr::Compare { path, op, value } => naive_compare(*op, &text(path), &literal(value)),
        Expr::In { path, values, negated } => {
            let inside = text(path).is_some_and(|text| values.iter().map(literal).any(|value| value == text));
            if *negated { !inside } else { inside }
        }
        Expr::Like { path, text: part } => text(path).is_some_and(|text| text.contains(&part.to_lowercase())),
        Expr::Exists { path } => text(path).is_some(),
    }
}

fn naive_compare<T: PartialOrd>(op: Comparison, held: &Option<T>, wanted: &T) -> bool {
    let Some(held) = held else { return op == Comparison::Ne };
    match op {
        Comparison::Eq => held == wanted,
        Comparison::Ne => held != wanted,
        Comparison::Lt => held < wanted,
        Comparison::Le => held <= wanted,
        Comparison::Gt => held > wanted,
        Comparison::Ge => held >= wanted,
    }
}

proptest! {
    #[test]
    fn the_parser_never_panics(text in ".{0,200}") {
        drop(Filter::<DeviceField>::parse(&text));
    }

    #[test]
    fn the_parser_never_panics_on_fragments_of_the_language(
        parts in prop::collection::vec(prop::sample::select(vec![
            "(", ")", "'", "\"", "\\", "and", " or ", "not ", " in ", "like", "exists(", "=", "!", "<", ">", "-", "1", ".", "e9",
            "jobId", "createTime", "deviceTags.a", "null", ",", " ", "é",
        ]), 0..40)
    ) {
        let text = parts.concat();
        if let Err(error) = parse(&text) {
            prop_assert!((1..=text.chars().count() + 1).contains(&error.position));
        }
        drop(Filter::<TaskField>::parse(&text));
    }

    #[test]
    fn a_printed_expression_parses_to_itself(expr in any_tree(any_condition())) {
        prop_assert_eq!(parse(&expr.to_string()), Ok(expr));
    }

    #[test]
    fn evaluation_agrees_with_a_naive_one(expr in any_tree(sample_condition()), thing in any_thing()) {
        let expected = naive(&expr, &thing);
        let filter = Filter::<Sample>::resolve(expr).map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(filter.matches(&thing), expected, "{:?}", filter);
    }
}
