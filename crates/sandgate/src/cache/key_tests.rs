//! Different work has different keys, and equal work the same, whatever is in it.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;
use sandgate_core::{
    CacheKey, ExecuteRequest, InputFile, Language, RequestRules, RequestedLimits, Task,
};

/// Texts that are easily taken for one another: short, and of few letters.
fn text() -> impl Strategy<Value = String> {
    "[ab=,]{0,3}"
}

prop_compose! {
    fn tasks()(
        language in 0..Language::ALL.len(),
        code in "[ab\\n]{1,3}",
        stdin in text(),
        args in prop::collection::vec(text(), 0..3),
        env in prop::collection::btree_map("[ab]{1,2}", text(), 0..3),
        files in prop::collection::btree_map("[ab]{1,2}", text(), 0..3),
        fuel in prop::option::of(1_u64..3),
        timeout in prop::option::of(1_u64..3),
        seed in prop::option::of(0_u64..2),
        now in prop::option::of(0_i64..2),
    ) -> Task {
        let mut request = ExecuteRequest::new(Language::ALL[language], format!("x{code}"));
        request.stdin = stdin;
        request.args = args;
        request.env = env;
        let files: BTreeMap<String, String> = files;
        request.files = files
            .into_iter()
            .map(|(path, content)| InputFile { path, content: Bytes::from(content) })
            .collect();
        request.limits = RequestedLimits { fuel, timeout_ms: timeout, ..Default::default() };
        request.seed = seed;
        request.now = now.map(|second| jiff::Timestamp::from_second(second).unwrap());
        RequestRules::default().task(request).unwrap()
    }
}

/// A task, and one that differs from it in few places or in none.
fn neighbours() -> impl Strategy<Value = (Task, Task)> {
    (tasks(), tasks(), 0..512_u32).prop_map(|(one, other, from_other)| {
        let mut two = one.clone();
        let takes = |field: u32| from_other & (1 << field) != 0;
        if takes(0) {
            two.language = other.language;
        }
        if takes(1) {
            two.code = other.code;
        }
        if takes(2) {
            two.stdin = other.stdin;
        }
        if takes(3) {
            two.args = other.args;
        }
        if takes(4) {
            two.env = other.env;
        }
        if takes(5) {
            two.files = other.files;
        }
        if takes(6) {
            two.limits = other.limits;
        }
        if takes(7) {
            two.seed = other.seed;
        }
        if takes(8) {
            two.now = other.now;
        }
        (one, two)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn keys_are_equal_exactly_where_the_work_is(
        (one, two) in neighbours(),
        digests in ("[ab]{0,2}", "[ab]{0,2}"),
        scopes in ("[ab]{0,2}", "[ab]{0,2}"),
    ) {
        let first = CacheKey::of(&one, &digests.0, &scopes.0);
        let second = CacheKey::of(&two, &digests.1, &scopes.1);
        let equal = one == two && digests.0 == digests.1 && scopes.0 == scopes.1;
        prop_assert_eq!(first == second, equal, "{:?} and {:?}", one, two);
        // Where one text ends and the next begins is part of it.
        let moved = format!("{}{}", digests.0, scopes.0);
        let all_in_one = CacheKey::of(&one, &moved, "");
        prop_assert_eq!(all_in_one == first, scopes.0.is_empty());
    }
}
