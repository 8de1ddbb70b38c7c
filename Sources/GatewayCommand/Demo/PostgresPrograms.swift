import Foundation

/// The folder with PostgreSQL's server programs. A value; found once when the demonstration starts.
struct PostgresPrograms: Sendable, Equatable {
    private static let needed = ["initdb", "pg_ctl", "postgres", "psql"]
    private static let debianRoot = "/usr/lib/postgresql"

    let directory: String

    /// Looks where `pg_config` points, then in Debian's versioned folders (newest first), then on the PATH.
    static func find() throws(DemoError) -> PostgresPrograms {
        var candidates: [String] = []
        if let directory = try? DemoProgram(path: "pg_config", arguments: ["--bindir"]).run() {
            candidates.append(directory)
        }
        candidates += Self.debianDirectories()
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        candidates += path.split(separator: ":").map(String.init)
        guard let found = candidates.first(where: Self.holdsServerPrograms) else {
            throw .postgresNotFound(lookedIn: ["pg_config --bindir", "\(Self.debianRoot)/*/bin", "the PATH"])
        }
        return PostgresPrograms(directory: found)
    }

    func path(of program: String) -> String {
        "\(self.directory)/\(program)"
    }

    private static func holdsServerPrograms(_ directory: String) -> Bool {
        self.needed.allSatisfy { FileManager.default.isExecutableFile(atPath: "\(directory)/\($0)") }
    }

    private static func debianDirectories() -> [String] {
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: self.debianRoot)) ?? []
        return versions
            .sorted { (Double($0) ?? 0) > (Double($1) ?? 0) }
            .map { "\(self.debianRoot)/\($0)/bin" }
    }
}
