//! A real Prometheus, which answers the queries of the dashboard.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::guarded::Guarded;
use super::ports::free_port;
use super::wait::wait_until;

const READY_WITHIN: Duration = Duration::from_mins(1);

/// Returns the path of `prometheus` or `promtool`, fetched on the first run.
pub(crate) fn tool(name: &str) -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/prometheus-tools");
    let output = Command::new(script).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim_end()).join(name)
}

/// A server that scrapes one target every half second.
pub(crate) struct Prometheus {
    _process: Guarded,
    _folder: TempDir,
    url: String,
}

impl Prometheus {
    /// Starts a server with the rules of a file.
    pub(crate) fn start(target: &str, rules: &Path) -> Self {
        let folder = TempDir::new().unwrap();
        let config = folder.path().join("prometheus.yml");
        let text = format!(
            "global: {{ scrape_interval: 500ms, evaluation_interval: 1s }}
rule_files: ['{}']
scrape_configs:
  - job_name: tidemark-processor
    static_configs: [{{ targets: ['{target}'] }}]
",
            rules.display()
        );
        fs::write(&config, text).unwrap();
        let address = format!("127.0.0.1:{}", free_port());
        let mut command = Command::new(tool("prometheus"));
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.path().join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=warn");
        let log = folder.path().join("prometheus.log");
        let mut process = Guarded::spawn(&command, &log, folder.path());
        wait_until(READY_WITHIN, "Prometheus to listen", || {
            assert!(process.is_running(), "{}", process.log_tail());
            std::net::TcpStream::connect(&address).is_ok()
        });
        Self {
            _process: process,
            _folder: folder,
            url: format!("http://{address}/api/v1"),
        }
    }

    /// Returns the result of a query at this moment.
    pub(crate) async fn query(&self, query: &str) -> Result<Vec<Value>, String> {
        let answer = self.get("query", &[("query", query)]).await?;
        let found = answer["data"]["result"].as_array();
        Ok(found.ok_or_else(|| answer.to_string())?.clone())
    }

    /// Returns every rule with its last evaluation.
    pub(crate) async fn rules(&self) -> Result<Vec<Value>, String> {
        let answer = self.get("rules", &[]).await?;
        let groups = answer["data"]["groups"].as_array();
        let groups = groups.ok_or_else(|| answer.to_string())?;
        let rules = groups.iter().filter_map(|group| group["rules"].as_array());
        Ok(rules.flatten().cloned().collect())
    }

    async fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value, String> {
        let url = format!("{}/{path}", self.url);
        let url = reqwest::Url::parse_with_params(&url, parameters).unwrap();
        let answer = reqwest::get(url).await.map_err(|error| error.to_string())?;
        let answer: Value = answer.json().await.map_err(|error| error.to_string())?;
        if answer["status"] == "success" {
            Ok(answer)
        } else {
            Err(answer.to_string())
        }
    }
}
