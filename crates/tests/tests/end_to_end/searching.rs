//! Finding jobs, tasks and devices: expressions in both spellings, pages, totals.

use serde_json::{Value, json};

use crate::harness::{Plan, World, now_ms};

async fn found(world: &World, action: &str, expression: &str) -> Vec<Value> {
    let body = json!({"expression": expression, "pagination": {"pageNo": 1, "pageSize": 100}});
    let answer = world.api.command(action, &body).await;
    let rows = answer.data().as_array().unwrap().clone();
    assert_eq!(answer.body["pagination"]["totalSize"], rows.len(), "{expression}");
    rows
}

#[tokio::test]
async fn pages_are_the_newest_first_and_add_up() {
    let world = World::open().await;
    let device = world.device("d1").await;
    let mut jobs = Vec::new();
    for _ in 0..7 {
        jobs.push(world.create(&Plan::device(&device).ttl(600)).await);
    }
    jobs.reverse();
    let mut seen = Vec::new();
    for page in 1..=4 {
        let body = json!({"pagination": {"pageNo": page, "pageSize": 3}});
        let answer = world.api.command("searchJob", &body).await;
        assert_eq!(
            answer.body["pagination"],
            json!({"pageNo": page, "pageSize": 3, "totalSize": 7, "sortedBy": null})
        );
        seen.extend(
            answer
                .data()
                .as_array()
                .unwrap()
                .iter()
                .map(|job| job["jobId"].as_str().unwrap().to_owned()),
        );
    }
    assert_eq!(seen, jobs);
    let total = world
        .api
        .command("searchTask", &json!({"pagination": {"pageSize": 0}}))
        .await;
    assert_eq!(
        (total.data(), &total.body["pagination"]["totalSize"]),
        (&json!([]), &json!(7))
    );
}

#[tokio::test]
async fn every_documented_field_and_operator_finds_jobs() {
    let world = World::open().await;
    let device = world.device("d1").await;
    let before = now_ms();
    let named = |name: Value| Plan::device(&device).ttl(600).with("/name", name);
    let night = world
        .create(&named(
            json!({"defaultValue": "Night run", "i18nValue": {"zh_CN": "夜间"}}),
        ))
        .await;
    let later = world
        .create(&named(json!({"defaultValue": "Later"})).at(now_ms() + 3_600_000))
        .await;
    world.count_when(&night, "triggered", |count| count.init == 1).await;
    crate::harness::eventually("the job being triggered", || async {
        (found(&world, "searchJob", "status = 'IN_PROGRESS'").await.len() == 1).then_some(())
    })
    .await;
    let cases = [
        (format!("jobId = '{night}'"), vec![&night]),
        (format!("jobId eq \"{night}\""), vec![&night]),
        (format!("jobId in ('{night}', '{later}')"), vec![&later, &night]),
        (format!("jobId not in ('{night}')"), vec![&later]),
        (format!("not jobId = '{night}'"), vec![&later]),
        ("name like 'NIGHT'".into(), vec![&night]),
        ("name like '夜'".into(), vec![&night]),
        ("name.zh_CN like '夜间'".into(), vec![&night]),
        ("name.default like '夜'".into(), vec![]),
        ("status = 'INIT'".into(), vec![&later]),
        (
            "status != 'INIT' and (name like 'run' or name like 'later')".into(),
            vec![&night],
        ),
        (format!("createTime >= {before}"), vec![&later, &night]),
        (format!("createTime gt {}", before + 3_600_000), vec![]),
        (
            "createTime < '2020-01-01 00:00:00' OR status EQ 'INIT'".into(),
            vec![&later],
        ),
    ];
    for (expression, expected) in cases {
        let rows = found(&world, "searchJob", &expression).await;
        let ids: Vec<_> = rows.iter().map(|job| job["jobId"].as_str().unwrap()).collect();
        assert_eq!(ids, expected, "{expression}");
    }
}

#[tokio::test]
async fn every_documented_field_finds_tasks() {
    let world = World::open().await;
    let mut device = world.connected("d1").await;
    let offline = world.device("d2").await;
    let job = world
        .create(&Plan::devices(&[device.identity().clone(), offline]).ttl(600))
        .await;
    let command = device.next_command().await.unwrap();
    device.answer(&command, 200, json!({})).await.unwrap();
    let (d1, d2) = {
        let tasks = world.tasks(&job).await;
        (tasks[0].task_id.clone(), tasks[1].task_id.clone())
    };
    let cases = [
        (format!("jobId = '{job}' and status = 'SUCCEED'"), vec![&d1]),
        (
            format!("taskId in ('{d1}', '{d2}') and status in ('QUEUED', 'INIT')"),
            vec![&d2],
        ),
        ("assetId = 'asset-pump-d2'".into(), vec![&d2]),
        ("productKey = 'pump' and deviceKey = 'd1'".into(), vec![&d1]),
        ("pk = 'pump' and dk in ('d1', 'd2')".into(), vec![&d2, &d1]),
        ("dk = 'nobody'".into(), vec![]),
        ("status = 'SUCCEED' or status = 'QUEUED'".into(), vec![&d2, &d1]),
        ("createTime > 0".into(), vec![&d2, &d1]),
    ];
    for (expression, expected) in cases {
        let rows = found(&world, "searchTask", &expression).await;
        let mut ids: Vec<_> = rows.iter().map(|task| task["taskId"].as_str().unwrap()).collect();
        // All tasks of a job are equally new.
        ids.sort_unstable_by(|a, b| b.cmp(a));
        assert_eq!(ids, expected, "{expression}");
    }
}

#[tokio::test]
async fn an_expression_that_does_not_parse_is_told_where() {
    let world = World::open().await;
    let cases = [
        ("searchJob", "status ~ 'INIT'", "character 8"),
        ("searchJob", "status = 'INIT' and", "character 20"),
        ("searchTask", "nonsense = 1", "nonsense"),
        ("searchJob", "name like 'open", "character"),
        ("searchJob", "(status = 'INIT'", "character"),
    ];
    for (action, expression, part) in cases {
        let answer = world.api.command(action, &json!({"expression": expression})).await;
        answer.fails(200, 99400, "expression");
        let message = answer.body["msg"].as_str().unwrap();
        assert!(message.contains(part), "`{expression}`: `{part}` not in `{message}`");
    }
    let deep = format!("{}status = 'INIT'{}", "(".repeat(10_000), ")".repeat(10_000));
    world
        .api
        .command("searchJob", &json!({"expression": deep}))
        .await
        .fails(200, 99400, "expression");
    let deep = format!("{}status = 'INIT'", "not ".repeat(2_000));
    world
        .api
        .command("searchJob", &json!({"expression": deep}))
        .await
        .fails(200, 99400, "expression");
}
