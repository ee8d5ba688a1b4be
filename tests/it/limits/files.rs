//! Files, and which of them come back.

use sandgate_core::{Language, Status};

use crate::harness::{Snippet, in_both_modes};

#[test]
fn bytes_of_files() {
    in_both_modes(async |_, executor| {
        let report = Snippet::python(
            "with open('/work/fits', 'wb') as f: f.write(bytes(900_000))\n\
             print('fits')\n\
             with open('/tmp/more', 'wb') as f: f.write(bytes(200_000))",
        )
        .limits(|limits| limits.file_bytes = 1_000_000)
        .on(&*executor)
        .await;
        report.assert_status(Status::Error);
        assert_eq!(report.stdout(), "fits\n");
        assert_eq!(report.error_kind(), "OSError", "{}", report.summary());
        // What fitted is returned all the same.
        assert_eq!(report.outcome.artifacts[0].path, "fits");
        assert_eq!(report.outcome.artifacts[0].content.len(), 900_000);

        // Room that is freed can be used again.
        Snippet::python(
            "import os\nfor i in range(20):\n    open('a', 'wb').write(bytes(900_000)); os.remove('a')\nprint('reused')",
        )
        .limits(|limits| limits.file_bytes = 1_000_000)
        .on(&*executor)
        .await
        .assert_prints("reused\n");

        // The caller's own files count.
        let report = Snippet::python("open('/work/b', 'wb').write(bytes(200_000))")
            .file("a", vec![0_u8; 900_000])
            .limits(|limits| limits.file_bytes = 1_000_000)
            .on(&*executor)
            .await;
        report.assert_status(Status::Error);
    });
}

#[test]
fn number_of_files() {
    in_both_modes(async |_, executor| {
        for (language, code) in [
            (
                Language::Python,
                "for i in range(1000):\n    open(f'/work/{i}', 'w').close()\n    print(i)",
            ),
            (
                Language::JavaScript,
                "for (let i = 0; i < 1000; i++) { require('fs').writeFileSync('/work/' + i, ''); console.log(i); }",
            ),
        ] {
            let report = Snippet::new(language, code)
                .limits(|limits| limits.files = 50)
                .on(&*executor)
                .await;
            report.assert_status(Status::Error);
            let made = report.stdout().lines().count();
            assert!((45..=50).contains(&made), "{made}: {}", report.summary());
            assert_eq!(report.outcome.artifacts.len(), made);
        }
    });
}

#[test]
fn artifacts_are_what_is_new_or_changed() {
    in_both_modes(async |_, executor| {
        let report = Snippet::python(
            "import os\n\
             open('changed', 'a').write('!')\n\
             open('sub/new.csv', 'w').write('a,b')\n\
             os.rename('renamed', 'elsewhere')\n\
             os.remove('removed')\n\
             open('/tmp/private', 'w').write('x')\n\
             print(open('kept').read(), sorted(os.listdir('.')))",
        )
        .file("kept", "as it was")
        .file("changed", "text")
        .file("sub/old", "x")
        .file("renamed", "y")
        .file("removed", "z")
        .on(&*executor)
        .await;
        report.assert_prints("as it was ['changed', 'elsewhere', 'kept', 'sub']\n");
        let artifacts: Vec<_> = report
            .outcome
            .artifacts
            .iter()
            .map(|a| (a.path.as_str(), &*a.content, a.media_type.as_str()))
            .collect();
        assert_eq!(artifacts.len(), 3, "{artifacts:?}");
        assert_eq!((artifacts[0].0, artifacts[0].1), ("changed", &b"text!"[..]));
        assert_eq!((artifacts[1].0, artifacts[1].1), ("elsewhere", &b"y"[..]));
        assert_eq!(artifacts[2], ("sub/new.csv", &b"a,b"[..], "text/csv"));
        assert_eq!(
            report.outcome.artifacts[2].sha256,
            "1eb7c54d52831bbfe8942af0b1c56b7409523a59ed6ca99c1174fef7eb32c1b5"
        );
    });
}

#[test]
fn artifacts_of_an_execution_that_was_cut_short() {
    in_both_modes(async |_, executor| {
        let report = Snippet::python("open('a', 'w').write('x')\nwhile True: pass")
            .limits(|limits| limits.fuel = 100_000_000)
            .on(&*executor)
            .await;
        report.assert_status(Status::FuelExhausted);
        assert_eq!(report.outcome.artifacts.len(), 1, "{}", report.summary());
    });
}

#[test]
fn a_name_that_cannot_be_returned_is_reported() {
    in_both_modes(async |_, executor| {
        let report = Snippet::python(
            "open('/work/back\\\\slash', 'w').close(); open('/work/good', 'w').close()",
        )
        .on(&*executor)
        .await;
        report.assert_status(Status::Ok);
        assert!(report.outcome.truncated.artifacts, "{}", report.summary());
        assert_eq!(report.outcome.artifacts.len(), 1);
    });
}
