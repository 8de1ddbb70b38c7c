import Sessions
import Synchronization

extension Pool {
    /// A client's parameters as this pool has them, and the greeting of such a session; nil when no server has told
    /// yet.
    func recall(_ requested: SessionParameters) -> (parameters: SessionParameters, greeting: [UInt8]?) {
        let parameters = self.plan.parameters(of: requested)
        return self.state.withLock { $0.parameterSets.recall(parameters) }
    }
}

/// One object for all sessions that ask for the same parameters, so that two of them are told apart by comparing
/// references. Bounded; protected by its pool's lock.
struct ParameterSets {
    private struct Known {
        let parameters: SessionParameters
        let greeting: [UInt8]
    }

    private static let setsMax = 256

    /// The `application_name` of sessions that ask for none.
    private let applicationName: String
    private var sets: [[SessionParameters.Entry]: Known] = [:]
    /// The set recalled last, with the object that asked for it: the clients of one application all ask with the same.
    private var last: (asked: SessionParameters, known: Known)?
    private var welcomes = WelcomeCache()

    init(applicationName: String) { self.applicationName = applicationName }

    /// The shared object for `parameters`, and the greeting of such a session; nil when no server has told yet.
    mutating func recall(_ parameters: SessionParameters) -> (parameters: SessionParameters, greeting: [UInt8]?) {
        if let last = self.last, last.asked === parameters { return (last.known.parameters, last.known.greeting) }
        if let known = self.sets[parameters.entries] {
            self.last = (parameters, known)
            return (known.parameters, known.greeting)
        }
        guard let welcome = self.welcomes.welcome(for: parameters) else { return (parameters, nil) }
        if self.sets.count >= Self.setsMax { self.forgetAll() }
        let greeting = welcome.greeting(for: parameters, named: self.applicationName)
        self.sets[parameters.entries] = Known(parameters: parameters, greeting: greeting)
        return (parameters, greeting)
    }

    func welcome(for parameters: SessionParameters) -> Welcome? { self.welcomes.welcome(for: parameters) }

    /// A server has logged in and told what it reports to a session without parameters of its own. Where an earlier one
    /// has told otherwise, PostgreSQL is another one by now (upgraded, switched over, set up anew), and what was learnt
    /// for other parameters is not true any more either.
    mutating func greeted(with welcome: Welcome) {
        if self.welcome(for: .none)?.isSame(as: welcome) == true { return }
        self.forgetAll()
        self.welcomes = WelcomeCache()
        self.remember(welcome, for: .none)
    }

    /// A server has refused what was accepted before: who asks for it next is to be told so at the login.
    mutating func forget(_ parameters: SessionParameters) {
        let reported = parameters.reportedEntries
        // What everybody is told is nothing of theirs.
        if reported.isEmpty { return }
        self.sets = self.sets.filter { $0.value.parameters.reportedEntries != reported }
        self.last = nil
        self.welcomes.forget(reported)
    }

    private mutating func forgetAll() {
        self.sets.removeAll(keepingCapacity: true)
        self.last = nil
    }

    mutating func remember(_ welcome: Welcome, for parameters: SessionParameters) {
        self.sets[parameters.entries] = nil
        self.last = nil
        self.welcomes.remember(welcome, for: parameters)
    }
}

/// Welcomes by the parameters a session asked for: learnt once from a real server, then told to every further client
/// without asking it again. Bounded; protected by its pool's lock.
private struct WelcomeCache {
    /// Different sets of startup parameters remembered at once.
    private static let entriesMax = 64

    private var entries: [[SessionParameters.Entry]: Welcome] = [:]

    /// The welcome of a session that asked for `requested`; nil when no server has told yet.
    func welcome(for requested: SessionParameters) -> Welcome? {
        self.entries[requested.reportedEntries]
    }

    mutating func forget(_ reported: [SessionParameters.Entry]) { self.entries[reported] = nil }

    mutating func remember(_ welcome: Welcome, for requested: SessionParameters) {
        if self.entries.count >= Self.entriesMax {
            // What sessions without parameters of their own are told stays: the others' welcomes are made from it.
            let plain = self.welcome(for: .none)
            self.entries.removeAll(keepingCapacity: true)
            self.entries[SessionParameters.none.reportedEntries] = plain
        }
        self.entries[requested.reportedEntries] = welcome
    }
}
