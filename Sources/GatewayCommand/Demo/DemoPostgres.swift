import Foundation

/// A throw-away PostgreSQL: its data, its socket and its log live in the demonstration's folder.
/// Started and stopped from one thread.
struct DemoPostgres: Sendable {
    static let database = "demo"

    let programs: PostgresPrograms
    let folder: String
    let port: Int

    private var data: String { "\(self.folder)/data" }
    /// Only the server's own user may enter: whoever reaches the unix socket is trusted.
    private var sockets: String { "\(self.folder)/socket" }

    /// Creates the cluster and starts it; returns when it answers.
    func start() throws(DemoError) {
        try self.runServerProgram("initdb", ["-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8",
                                             "--locale=C", "--no-sync"])
        try self.write(Self.rules, to: "\(self.data)/pg_hba.conf")
        let settings = [
            "listen_addresses": "127.0.0.1",
            "port": "\(self.port)",
            "unix_socket_directories": self.sockets,
            "unix_socket_permissions": "0700",
            "fsync": "off",
        ]
        let options = settings.sorted { $0.key < $1.key }.map { "-c \($0.key)=\($0.value)" }.joined(separator: " ")
        do {
            try self.runServerProgram(
                "pg_ctl", ["-D", self.data, "-l", "\(self.folder)/postgresql.log", "-w", "-o", options, "start"])
        } catch {
            let log = try? String(contentsOfFile: "\(self.folder)/postgresql.log", encoding: .utf8)
            guard let log else { throw error }
            throw .programFailed(program: "pg_ctl start", output: String(log.suffix(2_000)))
        }
    }

    /// Creates the users, the database and something to select from.
    /// The first user owns the database.
    func fill(users: [DemoAccount]) throws(DemoError) {
        guard let owner = users.first else { return }
        var script = ""
        for user in users {
            script += "SET password_encryption = '\(user.encryption.rawValue)';\n"
            script += "CREATE ROLE \(user.name) LOGIN PASSWORD '\(user.password)';\n"
        }
        let authenticator = DemoAccount.authenticator
        script += "SET password_encryption = '\(authenticator.encryption.rawValue)';\n"
        script += "CREATE ROLE \(authenticator.name) LOGIN PASSWORD '\(authenticator.password)';\n"
        script += "CREATE DATABASE \(Self.database) OWNER \(owner.name);\n\\connect \(Self.database)\n"
        script += "CREATE TABLE greetings (id int PRIMARY KEY, text text NOT NULL);\n"
        script += "INSERT INTO greetings VALUES (1, 'Hello from PostgreSQL, through the gateway.');\n"
        script += "GRANT ALL ON greetings TO PUBLIC;\n"
        script += Self.userLookup
        try self.psql(script)
    }

    /// A function that shows the secret of one user who may log in, and nothing else, to one role.
    private static let userLookup = """
        CREATE SCHEMA pggateway;
        CREATE FUNCTION pggateway.user_lookup(name text) RETURNS TABLE (passwd text)
            LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
            SELECT rolpassword FROM pg_authid WHERE rolname = $1 AND rolcanlogin
            AND (rolvaliduntil IS NULL OR rolvaliduntil > now())
        $$;
        REVOKE ALL ON FUNCTION pggateway.user_lookup(text) FROM PUBLIC;
        GRANT USAGE ON SCHEMA pggateway TO \(DemoAccount.authenticator.name);
        GRANT EXECUTE ON FUNCTION pggateway.user_lookup(text) TO \(DemoAccount.authenticator.name);

        """

    /// The command line of psql for the superuser, not through the gateway.
    func superuserCommand(_ sql: String) -> String {
        "psql -h \(self.sockets) -p \(self.port) -U postgres -c \"\(sql)\""
    }

    /// The stored verifier of each user, as PostgreSQL keeps it: `SCRAM-SHA-256$...` or `md5...`.
    func verifiers(of users: [DemoAccount]) throws(DemoError) -> [String: String] {
        var found: [String: String] = [:]
        for user in users {
            let answer = try self.psql("SELECT rolpassword FROM pg_authid WHERE rolname = '\(user.name)';\n")
            guard answer.hasPrefix(user.encryption.verifierPrefix) else {
                throw .unexpectedAnswer("user \(user.name) has no \(user.encryption.rawValue) verifier")
            }
            found[user.name] = answer
        }
        return found
    }

    /// Stops the server without waiting for its clients. Does nothing when it does not run.
    func stop() {
        _ = try? self.runServerProgram("pg_ctl", ["-D", self.data, "-m", "immediate", "-w", "stop"])
    }

    /// Only the superuser enters by the socket; everybody else proves who they are, as on a real server.
    private static let rules = """
        local  all   postgres                 trust
        host   demo  all       127.0.0.1/32   md5

        """

    @discardableResult
    private func runServerProgram(_ name: String, _ arguments: [String]) throws(DemoError) -> String {
        try DemoProgram(path: self.programs.path(of: name), arguments: arguments, unprivileged: true).run()
    }

    @discardableResult
    private func psql(_ script: String) throws(DemoError) -> String {
        let arguments = [
            "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", self.sockets, "-p", "\(self.port)", "-U", "postgres",
            "-d", "postgres",
        ]
        let psql = DemoProgram(
            path: self.programs.path(of: "psql"), arguments: arguments, input: script, unprivileged: true)
        return try psql.run()
    }

    private func write(_ text: String, to path: String) throws(DemoError) {
        do {
            // Written in place, so that the file keeps the server's user as its owner.
            try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        } catch {
            throw .folder(path: path, reason: error.localizedDescription)
        }
    }
}
