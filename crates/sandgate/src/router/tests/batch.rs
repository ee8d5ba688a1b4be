//! One snippet, many inputs.

use sandgate_core::Input;

use super::*;

fn batch(code: &str, inputs: impl IntoIterator<Item = String>) -> ExecuteRequest {
    let mut request = ExecuteRequest::python(code);
    request.inputs = Some(inputs.into_iter().map(Input::stdin).collect());
    request
}

#[tokio::test]
async fn every_input_has_its_own_execution_in_its_place() {
    let (router, executor) = router().await;
    let request = batch("stdin", (0..50).map(|n| n.to_string()));
    let executed = router.execute_batch(request, ExecuteOptions::default());
    let executed = executed.await.unwrap();
    assert_eq!(executed.len(), 50);
    let mut ids = std::collections::HashSet::new();
    for (n, execution) in executed.into_iter().enumerate() {
        let execution = execution.unwrap();
        assert_eq!(execution.stdout, n.to_string());
        assert!(ids.insert(execution.id));
        let kept = router.execution(execution.id).await.unwrap();
        assert_eq!(kept.unwrap().stdout, n.to_string());
    }
    assert_eq!(executor.started(), 50);
}

#[tokio::test]
async fn equal_inputs_are_one_run() {
    let (router, executor) = router().await;
    let request = batch("stdin", std::iter::repeat_n("same".to_owned(), 40));
    let executed = router.execute_batch(request, ExecuteOptions::default());
    assert_eq!(executed.await.unwrap().len(), 40);
    assert_eq!(executor.started(), 1);
}

#[tokio::test]
async fn they_run_side_by_side_and_not_all_at_once() {
    let (router, executor) = router().await;
    let request = batch("sleep 60000", (0..40).map(|n| n.to_string()));
    let cancel = CancellationToken::new();
    let options = ExecuteOptions::default().cancel(cancel.clone());
    let running = tokio::spawn({
        let router = router.clone();
        async move { router.execute_batch(request, options).await }
    });
    while executor.running() < 16 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(executor.started(), 16);
    // Cancelling reaches those that run and those that wait.
    cancel.cancel();
    let executed = running.await.unwrap().unwrap();
    assert_eq!(executed.len(), 40);
    for execution in executed {
        assert_eq!(execution.unwrap().status, Status::Cancelled);
    }
}

#[tokio::test]
async fn dropping_it_ends_all_of_it() {
    let (router, executor) = router().await;
    let request = batch("sleep 60000", (0..40).map(|n| n.to_string()));
    let running = tokio::spawn({
        let router = router.clone();
        async move {
            let options = ExecuteOptions::default();
            router.execute_batch(request, options).await
        }
    });
    while executor.running() < 16 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    running.abort();
    while executor.running() > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(executor.started(), 16);
}

#[tokio::test]
async fn failures_of_ours_keep_to_their_places() {
    let (router, executor) = router().await;
    let bad = batch("stdin", std::iter::repeat_n(String::new(), 101));
    let error = router.execute_batch(bad, ExecuteOptions::default()).await;
    assert!(matches!(error, Err(Error::Invalid(_))));
    // None was executed: the batch itself failed.
    executor.fail_with(Some(ErrorKind::Overloaded));
    let request = batch("stdin", (0..3).map(|n| n.to_string()));
    let error = router.execute_batch(request.clone(), ExecuteOptions::default());
    assert_eq!(error.await.unwrap_err().kind(), ErrorKind::Overloaded);
    // One was answered from the cache: the others have their errors.
    executor.fail_with(None);
    let one = request.with_input(1).unwrap();
    router.execute(one).await.unwrap();
    executor.fail_with(Some(ErrorKind::Overloaded));
    let executed = router.execute_batch(request, ExecuteOptions::default());
    let kinds: Vec<_> = executed
        .await
        .unwrap()
        .into_iter()
        .map(|executed| executed.map_err(|error| error.kind()).err())
        .collect();
    let overloaded = Some(ErrorKind::Overloaded);
    assert_eq!(kinds, [overloaded, None, overloaded]);
    let single = router.execute(batch("stdin", [String::new()])).await;
    assert!(matches!(single, Err(Error::Invalid(_))), "not a batch");
}

#[tokio::test]
async fn what_does_not_fit_into_one_answer_is_kept_and_named() {
    let (router, _) = router().await;
    let mut request = batch("bytes 15000000", (0..3).map(|n| n.to_string()));
    // The bytes are no text: each becomes a character of three.
    request.limits.output_bytes = Some(16 << 20);
    let executed = router.execute_batch(request, ExecuteOptions::default());
    let (mut held, mut left_out) = (0, 0);
    for executed in executed.await.unwrap() {
        match executed {
            Ok(execution) => held += execution.stdout.len(),
            Err(Error::LeftOut { id, most }) => {
                left_out += 1;
                assert!(held <= most);
                assert!(router.execution(id).await.unwrap().is_some());
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!((held, left_out), (45_000_000, 2));
}
