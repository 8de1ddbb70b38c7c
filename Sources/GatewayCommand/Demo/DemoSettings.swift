/// The two files the gateway reads in the demonstration, as text. Pure.
struct DemoSettings: Sendable {
    static let consoleDatabase = "pggateway"

    let gatewayPort: Int
    let serverPort: Int
    let rulesPath: String
    /// User name to stored verifier.
    let verifiers: [String: String]

    /// Who may log in, and how. A rule `md5` admits a SCRAM secret by SCRAM too.
    var rules: String {
        var lines = ["# type  database  user  address  method"]
        for user in DemoAccount.all {
            lines.append("host  \(DemoPostgres.database)  \(user.name)  127.0.0.1/32  \(user.encryption.rawValue)")
        }
        lines.append("host  \(DemoPostgres.database)  all  127.0.0.1/32  \(DemoAccount.newcomer.encryption.rawValue)")
        let console = DemoAccount.console
        lines.append("host  \(Self.consoleDatabase)  \(console.name)  127.0.0.1/32  \(console.encryption.rawValue)")
        return lines.joined(separator: "\n") + "\n"
    }

    /// No plain password of a database user stands here: what PostgreSQL keeps is enough to log in at PostgreSQL.
    var yaml: String {
        let (console, authenticator) = (DemoAccount.console, DemoAccount.authenticator)
        var text = """
            general:
              host: 127.0.0.1
              port: \(self.gatewayPort)
              admin_username: \(console.name)
              admin_password: \(console.password)
              pg_hba:
                path: \(Self.quoted(self.rulesPath))
            pools:
              \(DemoPostgres.database):
                pool_mode: transaction
                server_host: 127.0.0.1
                server_port: \(self.serverPort)
                auth_query:
                  query: SELECT passwd FROM pggateway.user_lookup($1)
                  user: \(authenticator.name)
                  password: \(authenticator.password)
                  cache_ttl: 10s
                users:

            """
        for user in DemoAccount.all {
            text += "      - username: \(user.name)\n"
            text += "        password: \(Self.quoted(self.verifiers[user.name] ?? ""))\n"
            text += "        pool_size: 5\n"
        }
        return text
    }

    /// A YAML scalar in single quotes.
    private static func quoted(_ text: String) -> String {
        "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''") + "'"
    }
}
