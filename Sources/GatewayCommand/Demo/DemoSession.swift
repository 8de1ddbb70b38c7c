/// A running demonstration: a throw-away PostgreSQL, and the settings of a gateway in front of it.
///
/// Owned by the `demo` subcommand: it starts the session, prints the banner, runs the gateway with `configPath`
/// until a signal ends it, and calls `stop()`. Everything here blocks; none of it runs on a worker.
struct DemoSession: Sendable {
    /// Ports that people try by hand, before any free one is taken.
    private static let preferredPorts = [6432, 7432]

    let configPath: String
    let port: Int
    private let postgres: DemoPostgres
    private let folder: DemoFolder

    /// Starts PostgreSQL and writes the settings. `port` is the gateway's; without one, 6432 or the next free.
    /// On an error nothing is left behind. Signals that arrive meanwhile should be held back by the caller.
    static func start(port: Int?) throws(DemoError) -> DemoSession {
        try DemoUser.check()
        let programs = try PostgresPrograms.find()
        let gatewayPort = port == nil
            ? try FreePort.find(preferring: self.preferredPorts)
            : try FreePort.find(wanted: port)
        let folder = try DemoFolder.create()
        do {
            let serverPort = try FreePort.find(wanted: nil)
            let postgres = DemoPostgres(
                programs: programs, folder: try folder.createServerFolder(), port: serverPort)
            return try self.start(postgres, behind: gatewayPort, in: folder)
        } catch {
            folder.remove()
            throw error
        }
    }

    private static func start(
        _ postgres: DemoPostgres, behind gatewayPort: Int, in folder: DemoFolder
    ) throws(DemoError) -> DemoSession {
        do {
            try postgres.start()
            try postgres.fill(users: DemoAccount.all)
            let settings = DemoSettings(
                gatewayPort: gatewayPort,
                serverPort: postgres.port,
                rulesPath: try folder.write("", to: "pg_hba.conf"),
                verifiers: try postgres.verifiers(of: DemoAccount.all)
            )
            _ = try folder.write(settings.rules, to: "pg_hba.conf")
            let config = try folder.write(settings.yaml, to: "pggateway.yaml")
            return DemoSession(configPath: config, port: gatewayPort, postgres: postgres, folder: folder)
        } catch {
            postgres.stop()
            throw error
        }
    }

    /// What to try, for the terminal.
    var banner: String {
        var text = """

            PostgreSQL \(self.postgres.port)  <-  pggateway \(self.port)  <-  you

            Settings: \(self.configPath)
            Rules:    \(self.folder.path)/pg_hba.conf

            Try, in another terminal:


            """
        for user in DemoAccount.all {
            let line = self.psql(user, DemoPostgres.database, command: "SELECT text FROM greetings")
            let stored = "kept as \(user.encryption.rawValue), no plain password in the settings"
            text += "  # \(user.name): \(stored)\n  \(line)\n"
        }
        let new = DemoAccount.newcomer
        text += "  # a new role, who works through the gateway at once: nobody touches its settings\n  "
        text += self.postgres.superuserCommand("CREATE ROLE \(new.name) LOGIN PASSWORD '\(new.password)'") + "\n  "
        text += self.psql(new, DemoPostgres.database, command: "SELECT current_user, text FROM greetings") + "\n"
        text += "  # the console: pools, the users found by auth_query, who was let in and why\n"
        for command in ["SHOW POOLS", "SHOW AUTH_QUERY", "SHOW AUDIT 5"] {
            text += "  " + self.psql(DemoAccount.console, DemoSettings.consoleDatabase, command: command) + "\n"
        }
        return text + "\nCtrl-C stops both and removes everything.\n"
    }

    private func psql(_ user: DemoAccount, _ database: String, command: String) -> String {
        "PGPASSWORD=\(user.password) psql -h 127.0.0.1 -p \(self.port) -U \(user.name) -c '\(command)' \(database)"
    }

    /// Stops PostgreSQL and removes the folder.
    func stop() {
        self.postgres.stop()
        self.folder.remove()
    }
}
