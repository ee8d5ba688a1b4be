//! Files that guests left, and what a browser may do with them.

use super::*;

async fn url(service: &Service, name: &str) -> String {
    let answer = service.run(&format!("file {name}")).await;
    answer["artifacts"][0]["url"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn bytes_come_with_safe_headers() {
    let service = Service::new().await;
    let response = service.get(&url(&service, "plots/ü b.txt").await).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(
        header(&response, "content-type"),
        "text/plain; charset=utf-8"
    );
    assert_eq!(header(&response, "x-content-type-options"), "nosniff");
    assert_eq!(header(&response, "content-length"), "7");
    assert_eq!(
        header(&response, "content-disposition"),
        "inline; filename*=UTF-8''%C3%BC%20b%2Etxt"
    );
    assert!(header(&response, "content-security-policy").contains("sandbox"));
    assert_eq!(text(response).await, "content");
}

#[tokio::test]
async fn what_could_run_in_a_browser_is_downloaded() {
    let service = Service::new().await;
    for (name, media_type) in [
        ("page.html", "text/html"),
        ("image.svg", "image/svg+xml"),
        ("x.pdf", "application/pdf"),
        ("x.js", "text/javascript"),
    ] {
        let response = service.get(&url(&service, name).await).await;
        assert_eq!(header(&response, "content-type"), media_type);
        let disposition = header(&response, "content-disposition");
        assert!(disposition.starts_with("attachment;"), "{name}");
    }
}

#[tokio::test]
async fn head_and_etag() {
    let service = Service::new().await;
    let url = url(&service, "a.txt").await;
    let head = Request::head(&url).body(Body::empty()).unwrap();
    let head = service.send(head).await;
    assert_eq!(header(&head, "content-length"), "7");
    let etag = header(&head, "etag").to_owned();
    assert_eq!(text(head).await, "");
    let again = Request::get(&url).header("if-none-match", format!("\"x\", {etag}"));
    let again = service.send(again.body(Body::empty()).unwrap()).await;
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(text(again).await, "");
}

#[tokio::test]
async fn no_path_leads_to_another_file() {
    let service = Service::new().await;
    let url = url(&service, "a.txt").await;
    let base = url.strip_suffix("a.txt").unwrap();
    for path in [
        "b.txt",
        "..%2fresult.json",
        "%2e%2e/result.json",
        "./a.txt",
        "a.txt/",
        "%2fetc%2fpasswd",
        "a.txt%00",
    ] {
        let response = service.get(&format!("{base}{path}")).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
    }
}
