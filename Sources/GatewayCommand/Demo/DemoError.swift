/// Why the demonstration cannot start, in words for the terminal.
enum DemoError: Error, Equatable, CustomStringConvertible {
    /// No PostgreSQL server programs are installed.
    case postgresNotFound(lookedIn: [String])
    /// PostgreSQL refuses to run as root and there is no user to run it as.
    case noUnprivilegedUser(String)
    /// A program cannot be started, or ended with an error; `output` is the end of what it wrote.
    case programFailed(program: String, output: String)
    /// The folder or a file in it cannot be made.
    case folder(path: String, reason: String)
    /// The port that was asked for is taken, or no port is free.
    case noPort(Int?)
    /// PostgreSQL did not answer as expected.
    case unexpectedAnswer(String)

    var description: String {
        switch self {
        case .postgresNotFound(let places):
            "no PostgreSQL server programs (initdb, pg_ctl, psql) in \(places.joined(separator: ", ")); "
                + "install Debian's postgresql-15 or put their folder on the PATH"
        case .noUnprivilegedUser(let user):
            "PostgreSQL does not run as root and there is no user \(user) on this machine"
        case .programFailed(let program, let output):
            "\(program) failed: \(output)"
        case .folder(let path, let reason):
            "cannot write \(path): \(reason)"
        case .noPort(let port?):
            "port \(port) on 127.0.0.1 is not free"
        case .noPort(nil):
            "no free port on 127.0.0.1"
        case .unexpectedAnswer(let answer):
            "PostgreSQL gave an unexpected answer: \(answer)"
        }
    }
}
