//! What the server says about its own API.

use crate::harness::{Server, exchange, request};

#[tokio::test]
async fn the_api_describes_itself_with_every_action() {
    let server = Server::start().await;
    let described = exchange(server.http, &request("GET", "/openapi.json", &[], b""))
        .await
        .unwrap();
    assert_eq!(described.status, 200);
    assert!(
        described.body["openapi"].as_str().unwrap().starts_with("3.1"),
        "{}",
        described.body["openapi"]
    );
    let paths: Vec<&String> = described.body["paths"].as_object().unwrap().keys().collect();
    let resources = [
        (
            "/connect-service/v2.5/commands",
            "createJob searchJob getJob deleteJob queryStatistics queryJobStatistics getTask searchTask retryTask cancelTask getTaskAttempts",
        ),
        ("/model-service/v2.1/thing-models", "create get search update delete"),
        ("/connect-service/v2.1/products", "create get search update delete"),
        (
            "/connect-service/v2.1/devices",
            "create batchCreate get search update delete enable disable replace",
        ),
        ("/aldis/v1/keys", "create list disable enable delete"),
        ("/aldis/v1/organizations", "create list disable enable delete"),
    ];
    for (path, actions) in resources {
        for action in actions.split(' ') {
            let key = format!("{path}?action={action}");
            assert!(paths.contains(&&key), "{key} is not among {paths:?}");
        }
    }
    for path in [
        "/apim-token-service/v2.0/token/get",
        "/apim-token-service/v2.0/token/refresh",
    ] {
        assert!(paths.iter().any(|known| known.as_str() == path), "{path}");
    }
}
