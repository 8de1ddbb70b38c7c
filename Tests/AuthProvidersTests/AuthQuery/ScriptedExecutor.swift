import Synchronization

@testable import AuthProviders

/// An executor without a server: keeps questions until they are answered, or answers from a table of passwords.
///
/// Any thread.
final class ScriptedExecutor: AuthQueryExecutor, Sendable {
    struct Question: Sendable {
        let sql: String
        let parameter: String
        let done: @Sendable (AuthQueryReply) -> Void
    }

    private struct State {
        var passwords: [String: String]?
        var isDown = false
        var held: [Question] = []
        var asked: [String] = []
        var now: Int64 = 0
        var warnings: [String] = []
    }

    private let state: Mutex<State>

    /// - Parameter passwords: nil to hold questions until `answer`.
    init(passwords: [String: String]? = nil) {
        self.state = Mutex(State(passwords: passwords))
    }

    func run(
        _ sql: String,
        parameter: String,
        rowsMax: Int,
        done: @escaping @Sendable (AuthQueryReply) -> Void
    ) {
        let reply = self.state.withLock { state -> AuthQueryReply? in
            state.asked.append(parameter)
            if state.isDown { return .failed("down") }
            guard let passwords = state.passwords else {
                state.held.append(Question(sql: sql, parameter: parameter, done: done))
                return nil
            }
            return Self.row(passwords[parameter])
        }
        if let reply { done(reply) }
    }

    static func row(_ password: String?) -> AuthQueryReply {
        .rows(AuthQueryRows(columns: ["passwd"], rows: password.map { [[Array($0.utf8)]] } ?? []))
    }

    /// How often each name was asked for.
    var asked: [String] { self.state.withLock { $0.asked } }
    var warnings: [String] { self.state.withLock { $0.warnings } }

    func set(_ user: String, _ password: String?) { self.state.withLock { $0.passwords?[user] = password } }
    func setDown(_ isDown: Bool) { self.state.withLock { $0.isDown = isDown } }
    func pass(seconds: Double) { self.state.withLock { $0.now += Int64(seconds * 1_000_000) } }

    /// Answers the questions held, in order.
    func answer(_ reply: AuthQueryReply) {
        let held = self.state.withLock { state in
            let held = state.held
            state.held = []
            return held
        }
        for question in held { question.done(reply) }
    }

    var heldCount: Int { self.state.withLock { $0.held.count } }

    func service(
        lifetime: Double = 3600,
        unknownLifetime: Double = 30,
        isDedicated: Bool = false
    ) -> AuthQueryService {
        AuthQueryService(
            options: AuthQueryService.Options(
                query: "select $1",
                lifetime: Int64(lifetime * 1_000_000),
                unknownLifetime: Int64(unknownLifetime * 1_000_000),
                minInterval: 1_000_000,
                roleLifetime: 60_000_000,
                entriesMax: 100,
                ignoresStartupParameters: isDedicated
            ),
            executor: self,
            surroundings: AuthQueryService.Surroundings(
                now: { self.state.withLock { $0.now } },
                warn: { text, user in self.state.withLock { $0.warnings.append("\(user): \(text)") } },
                problemWithParameter: { _ in nil }
            )
        )
    }
}
