//! tmp
#[tokio::main]
async fn main() {
    let mut c = desk::DeskConfig::new(std::env::args().nth(1).unwrap(), desk::token_sha256("t"));
    c.listen = "127.0.0.1:8470".parse().unwrap();
    let d = desk::Desk::open(c).await.unwrap();
    d.serve(std::future::pending()).await.unwrap();
}
