import AuthProviders
import Reactor
import Synchronization
import Telemetry

/// How the logins of one provider ended, and how long they took. Kept for the life of the process. Any thread; no lock.
final class ProviderUse: Sendable {
    private final class Count: Sendable {
        let value = Atomic<Int>(0)
    }

    let name: String
    let methods: [String]
    private let logins = Count()
    /// In the order of `AuthFailure.Reason.allCases`.
    private let failures: [(reason: AuthFailure.Reason, count: Count)]
    private let countOfReason: [AuthFailure.Reason: Count]
    private let durations = DurationHistogram()

    fileprivate init(name: String, methods: [String]) {
        self.name = name
        self.methods = methods
        self.failures = AuthFailure.Reason.allCases.map { ($0, Count()) }
        self.countOfReason = Dictionary(self.failures.map { ($0.reason, $0.count) }) { first, _ in first }
    }

    /// - Parameter microseconds: from the first question to the verdict.
    func note(_ failure: AuthFailure.Reason?, after microseconds: MonotonicMicroseconds) {
        let count = failure.map { self.countOfReason[$0] } ?? self.logins
        count?.value.add(1, ordering: .relaxed)
        self.durations.add(microseconds)
    }

    fileprivate func row(_ lanes: [BlockingLane]) -> AuthProviderRow {
        let failures = self.failures.map { (reason: $0.reason, count: $0.count.value.load(ordering: .relaxed)) }
            .filter { $0.count > 0 }
        let loads = lanes.map(\.load)
        return AuthProviderRow(
            name: self.name,
            methods: self.methods,
            logins: self.logins.value.load(ordering: .relaxed),
            failures: failures.map { ReasonCount(reason: $0.reason.rawValue, count: $0.count) },
            busy: loads.reduce(0) { $0 + $1.busy },
            queued: loads.reduce(0) { $0 + $1.queued },
            p50Microseconds: self.durations.percentile(50).map { Int(clamping: $0) },
            p99Microseconds: self.durations.percentile(99).map { Int(clamping: $0) }
        )
    }
}

/// The counts of all providers of this process. Immutable.
final class ProviderUses: Sendable {
    /// In the order of registration; types of one name share an entry.
    private let all: [ProviderUse]
    private let useOfType: [ObjectIdentifier: ProviderUse]

    init(_ registry: AuthProviderRegistry) {
        var methods: [(name: String, words: [String])] = []
        for provider in registry.registered {
            if let place = methods.firstIndex(where: { $0.name == provider.name }) {
                methods[place].words += provider.hbaMethods
            } else {
                methods.append((provider.name, provider.hbaMethods))
            }
        }
        let all = methods.map { ProviderUse(name: $0.name, methods: $0.words) }
        var useOfType: [ObjectIdentifier: ProviderUse] = [:]
        for provider in registry.registered {
            useOfType[ObjectIdentifier(provider)] = all.first { $0.name == provider.name }
        }
        self.all = all
        self.useOfType = useOfType
    }

    func use(of provider: any AuthProvider) -> ProviderUse? { self.useOfType[ObjectIdentifier(type(of: provider))] }

    /// - Parameter lanes: those that the providers of each name run on.
    func rows(lanes: [String: [BlockingLane]]) -> [AuthProviderRow] { self.all.map { $0.row(lanes[$0.name] ?? []) } }
}

extension Snapshot {
    /// The lanes of the providers that the policy uses, by the providers' names, each lane once.
    var lanes: [String: [BlockingLane]] {
        var lanes: [String: [BlockingLane]] = [:]
        for provider in self.deciding.map(\.provider) + self.userProviders.all {
            guard let lane = provider.lane else { continue }
            let known = lanes[type(of: provider).name, default: []]
            if !known.contains(where: { $0 === lane }) { lanes[type(of: provider).name] = known + [lane] }
        }
        return lanes
    }
}

/// Each login is counted once, at the verdict of the provider that was asked; what fails behind the proof (no pool, no
/// server) is not the provider's.
extension ClientConnection {
    func provingBegins(_ login: LoginState, by provider: any AuthProvider) {
        login.providerUse = self.gateway.providerUses.use(of: provider)
        login.provingSince = MonotonicClock.now()
    }

    func proved(_ login: LoginState) { self.count(nil, login) }

    func refuted(_ failure: AuthFailure, login: LoginState) { self.count(failure.reason, login) }

    private func count(_ failure: AuthFailure.Reason?, _ login: LoginState) {
        guard let use = login.providerUse else { return }
        login.providerUse = nil
        use.note(failure, after: MonotonicClock.now() - login.provingSince)
    }
}
