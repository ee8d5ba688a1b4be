//! Precedence, and all problems at once.

use std::fs;

use super::*;

fn environment(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let home = [("HOME", "/home/me")];
    pairs
        .iter()
        .chain(&home)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn problems(result: Result<Config, ConfigError>) -> Vec<String> {
    result
        .unwrap_err()
        .0
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn defaults_are_valid_and_documented_values() {
    let config = Config::load(&[], None, &environment(&[])).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.data_dir, Path::new("/home/me/.local/share/sandgate"));
    assert_eq!(config.outputs_dir, config.data_dir.join("outputs"));
    assert_eq!(config.workers, None);
    assert_eq!(config.rules, RequestRules::default());
    assert_eq!(config.cache, CacheConfig::default());
    assert_eq!(config.spool, SpoolConfig::default());
}

#[test]
fn what_is_printed_is_a_file_that_means_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("sandgate.toml");
    let config = Config::load(&[], None, &environment(&[])).unwrap();
    fs::write(&file, config.to_toml()).unwrap();
    let again = Config::load(&[], Some(&file), &environment(&[])).unwrap();
    assert_eq!(again, config);
}

#[test]
fn the_sandbox_grants_what_may_be_asked_for_or_less() {
    let maximum = |variables: &[(&str, &str)]| {
        let config = Config::load(&[], None, &environment(variables)).unwrap();
        config.sandbox_maximum
    };
    assert_eq!(maximum(&[]), Limits::MAXIMUM);
    let less = maximum(&[
        ("SANDGATE_SANDBOX_MEMORY_MB", "128"),
        ("SANDGATE_SANDBOX_TIMEOUT_MS", "10000"),
    ]);
    assert_eq!((less.memory_mb, less.timeout_ms), (128, 10_000));
    assert_eq!(less.fuel, Limits::MAXIMUM.fuel);
    let more = maximum(&[("SANDGATE_SANDBOX_MEMORY_MB", "100000")]);
    assert_eq!(more, Limits::MAXIMUM);
}

#[test]
fn flags_win_over_the_environment_over_the_file_over_defaults() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("sandgate.toml");
    fs::write(
        &file,
        "listen = '127.0.0.1:1'\ndata_dir = '/file'\n[http]\nbody_bytes = 2000\n\
         [limits.default]\ntimeout_ms = 1000\nfuel = 7\n[cache]\nbytes = 0",
    )
    .unwrap();
    let environment = environment(&[
        ("SANDGATE_CONFIG", file.to_str().unwrap()),
        ("SANDGATE_LISTEN", "127.0.0.1:2"),
        ("SANDGATE_DATA_DIR", "/environment"),
        ("SANDGATE_LIMITS_DEFAULT_TIMEOUT_MS", "2000"),
        ("SANDGATE_OUTPUTS_DURABILITY", "stored"),
        ("SANDGATE_CACHE_DIR", "of the build tool"),
        ("SANDGATE_SOAK", "of a test"),
    ]);
    let flags = [("--listen", "listen", "127.0.0.1:3".to_owned())];
    let config = Config::load(&flags, None, &environment).unwrap();
    assert_eq!(config.listen.port(), 3);
    assert_eq!(config.data_dir, Path::new("/environment"));
    assert_eq!(config.http.body_bytes, 2000);
    assert_eq!(config.rules.limits.default.timeout_ms, 2000);
    assert_eq!(config.rules.limits.default.fuel, 7);
    assert_eq!(config.cache.bytes, 0);
    assert_eq!(config.durability, Durability::Stored);
    assert_eq!(
        config.rules.limits.default.memory_mb,
        Limits::DEFAULT.memory_mb
    );
}

#[test]
fn a_named_file_wins_over_the_environments() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.toml");
    fs::write(&file, "listen = '127.0.0.1:5'").unwrap();
    let environment = environment(&[("SANDGATE_CONFIG", "/nowhere")]);
    let config = Config::load(&[], Some(&file), &environment).unwrap();
    assert_eq!(config.listen.port(), 5);
}

#[test]
fn all_problems_are_told_at_once_with_their_source() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bad.toml");
    fs::write(
        &file,
        "lisen = 'x'\n[http]\nbody_bytes = 'many'\nmax_conections = 1\n[cache]\nttl_s = 0\n\
         [limits.default]\nfuel = 0",
    )
    .unwrap();
    let environment = environment(&[
        ("SANDGATE_HTTP_BODY_BYTEZ", "1"),
        ("SANDGATE_OUTPUTS_SYNC", "maybe"),
    ]);
    let flags = [("--listen", "listen", "localhost".to_owned())];
    let found = problems(Config::load(&flags, Some(&file), &environment));
    let name = file.display();
    let expected = [
        format!("{name}: http.body_bytes must be a whole number, not a string"),
        format!("{name}: http.max_conections is not known here"),
        format!("{name}: lisen is not known here"),
        "SANDGATE_HTTP_BODY_BYTEZ: stands for no setting".to_owned(),
        "SANDGATE_OUTPUTS_SYNC: must be true or false, not `maybe`".to_owned(),
        "--listen: listen: must be an address and a port".to_owned(),
        format!("{name}: cache.ttl_s: must be between 1 and"),
        format!("{name}: limits.default.fuel: must be between 1 and"),
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for expected in expected {
        assert!(
            found.iter().any(|problem| problem.starts_with(&expected)),
            "{expected} is not among {found:#?}"
        );
    }
}

#[test]
fn words_and_signs_are_checked() {
    let environment = environment(&[
        ("SANDGATE_OUTPUTS_DURABILITY", "eventually"),
        ("SANDGATE_LOG_FORMAT", "xml"),
        ("SANDGATE_CACHE_BYTES", "-1"),
    ]);
    let found = problems(Config::load(&[], None, &environment));
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(found.iter().any(|p| p.contains("eventually")));
}

#[test]
fn a_broken_or_missing_file_is_a_problem() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("broken.toml");
    fs::write(&file, "listen = ").unwrap();
    assert_eq!(
        problems(Config::load(&[], Some(&file), &environment(&[]))).len(),
        1
    );
    let missing = dir.path().join("missing.toml");
    let found = problems(Config::load(&[], Some(&missing), &environment(&[])));
    assert!(found[0].contains("cannot be read"), "{found:?}");
}

#[test]
fn a_public_address_needs_to_be_allowed() {
    let public = ("--listen", "listen", "0.0.0.0:80".to_owned());
    let found = problems(Config::load(
        std::slice::from_ref(&public),
        None,
        &environment(&[]),
    ));
    assert!(found[0].contains("--allow-public"), "{found:?}");
    let allow = ("--allow-public", "http.allow_public", "true".to_owned());
    assert!(Config::load(&[public, allow], None, &environment(&[])).is_ok());
}

#[test]
fn without_a_home_the_data_directory_must_be_named() {
    let found = problems(Config::load(&[], None, &BTreeMap::new()));
    assert!(found[0].contains("--data-dir"), "{found:?}");
    let xdg = BTreeMap::from([("XDG_DATA_HOME".to_owned(), "/xdg".to_owned())]);
    let config = Config::load(&[], None, &xdg).unwrap();
    assert_eq!(config.data_dir, Path::new("/xdg/sandgate"));
}

/// The settings of Lambda and S3 with these variables set.
fn cloud(pairs: &[(&str, &str)]) -> CloudConfig {
    Config::load(&[], None, &environment(pairs)).unwrap().cloud
}

#[test]
fn without_aws_settings_the_local_cloud_may_be_used() {
    let cloud = cloud(&[]);
    assert!(cloud.wants_local() && !cloud.on_aws);
    assert_eq!(cloud.store, Store::Local);
    assert_eq!(cloud.transfer, None);
    let catalogue = Path::new("/home/me/.local/share/sandgate/lambda-catalogue.json");
    assert_eq!(cloud.lambda.catalogue.as_deref(), Some(catalogue));
}

#[test]
fn a_function_and_a_bucket_on_aws_take_its_place() {
    let function = [
        ("SANDGATE_LAMBDA_FUNCTION", "runner"),
        ("SANDGATE_LAMBDA_QUALIFIER", "live"),
    ];
    let on_aws = cloud(&function);
    assert!(on_aws.on_aws && !on_aws.wants_local());
    assert_eq!(on_aws.lambda.target.to_string(), "runner:live");
    assert_eq!(on_aws.transfer, None, "no bucket is named");

    let bucket = [
        ("SANDGATE_OUTPUTS_BUCKET", "outputs"),
        ("SANDGATE_OUTPUTS_PREFIX", "team/a/"),
        ("SANDGATE_OUTPUTS_PATH_STYLE", "true"),
        ("SANDGATE_LAMBDA_PRICE_GB_SECOND", "0.00002"),
        ("SANDGATE_LAMBDA_CONCURRENCY", "7"),
    ];
    let both = cloud(&[&function[..], &bucket].concat());
    let Store::S3(store) = &both.store else {
        panic!("{:?}", both.store);
    };
    assert_eq!((&*store.bucket, &*store.prefix), ("outputs", "team/a/"));
    assert!(store.path_style);
    let transfer = both.transfer.unwrap();
    assert_eq!(
        (&*transfer.bucket, &*transfer.prefix),
        ("outputs", "transfer/")
    );
    assert!((both.lambda.prices.gb_second - 0.00002).abs() < 1e-12);
    assert_eq!(both.lambda.concurrency, 7);

    let only_bucket = cloud(&bucket);
    assert!(!only_bucket.wants_local());
    let always = [("SANDGATE_LOCAL_CLOUD_ENABLED", "always")];
    assert!(cloud(&[&bucket[..], &always].concat()).wants_local());
    assert!(!cloud(&[("SANDGATE_LOCAL_CLOUD_ENABLED", "never")]).wants_local());
}

#[test]
fn a_directory_is_used_where_it_is_asked_for() {
    let directory = ("SANDGATE_OUTPUTS_DIRECTORY", "/outputs");
    assert_eq!(cloud(&[directory]).store, Store::Directory);
    let chosen = [
        ("SANDGATE_OUTPUTS_STORE", "directory"),
        ("SANDGATE_OUTPUTS_BUCKET", "only-for-transfers"),
    ];
    let cloud = cloud(&chosen);
    assert_eq!(cloud.store, Store::Directory);
    assert_eq!(cloud.transfer.unwrap().bucket, "only-for-transfers");
}

#[test]
fn cloud_settings_that_cannot_work_are_told_with_what_would() {
    for (settings, expected) in [
        (
            vec![("SANDGATE_LAMBDA_FUNCTION", "runner")],
            "lambda.qualifier: function `runner` is named without a version",
        ),
        (
            vec![
                ("SANDGATE_LAMBDA_FUNCTION", "runner"),
                ("SANDGATE_LAMBDA_QUALIFIER", "$LATEST"),
            ],
            "lambda.qualifier: the qualifier `$LATEST` stands for",
        ),
        (
            vec![("SANDGATE_LAMBDA_QUALIFIER", "live")],
            "lambda.qualifier: is set, but lambda.function is not",
        ),
        (
            vec![("SANDGATE_LAMBDA_FUNCTION", "no such/name:1")],
            "lambda.function: `no such/name:1` is not a function's name",
        ),
        (
            vec![
                ("SANDGATE_LAMBDA_FUNCTION", "runner:live"),
                ("SANDGATE_LOCAL_CLOUD_ENABLED", "always"),
            ],
            "local_cloud.enabled: is `always`, but lambda.function names",
        ),
        (
            vec![("SANDGATE_OUTPUTS_STORE", "s3")],
            "outputs.store: is `s3`, but outputs.bucket does not name",
        ),
        (
            vec![
                ("SANDGATE_OUTPUTS_BUCKET", "b"),
                ("SANDGATE_OUTPUTS_PREFIX", "a/../"),
            ],
            "outputs.prefix: must be empty or a path like",
        ),
        (
            vec![("SANDGATE_LAMBDA_PRICE_REQUEST", "-1")],
            "lambda.price_request: must be a price",
        ),
        (
            vec![("SANDGATE_LAMBDA_INLINE_BYTES", "7000000")],
            "lambda.inline_bytes: must be between 1024 and",
        ),
        (
            vec![("SANDGATE_LOCAL_CLOUD_ENABLED", "perhaps")],
            "local_cloud.enabled",
        ),
    ] {
        let found = problems(Config::load(&[], None, &environment(&settings)));
        assert_eq!(found.len(), 1, "{found:#?}");
        let (_, told) = found[0].split_once(": ").unwrap();
        assert!(told.starts_with(expected), "{expected}: {told}");
    }
}

#[test]
fn a_price_may_be_a_whole_number() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("sandgate.toml");
    fs::write(&file, "[lambda]\nprice_request = 1").unwrap();
    let config = Config::load(&[], Some(&file), &environment(&[])).unwrap();
    assert!((config.cloud.lambda.prices.request - 1.0).abs() < f64::EPSILON);
}
