import PGWire
import Reactor

/// What is known of the names of servers, and who waits for what. A value, to be kept behind one lock; time is passed
/// in.
struct HostAnswers<Waiter: Sendable>: Sendable {
    /// What is to be told to those who wait.
    typealias Outcome = Result<[SocketAddress], HostResolver.Failure>

    private struct Answer {
        let addresses: [SocketAddress]
        /// When the look-up began that has found them.
        let began: MonotonicMicroseconds
        /// Until then nobody asks again.
        var expires: MonotonicMicroseconds
        /// Nobody can say now whether it still holds: it is used meanwhile, and asked for again.
        var isDoubtful = false
        private var next = 0

        init(addresses: [SocketAddress], began: MonotonicMicroseconds, expires: MonotonicMicroseconds) {
            self.addresses = addresses
            self.began = began
            self.expires = expires
        }

        /// All addresses, in the order in which they are to be tried: each is the first one in turn.
        mutating func take() -> [SocketAddress] {
            guard !self.addresses.isEmpty else { return [] }
            let first = self.next % self.addresses.count
            self.next = (first + 1) % self.addresses.count
            return Array(self.addresses[first...] + self.addresses[..<first])
        }
    }

    /// A name that is being looked up.
    private struct Search {
        /// Its look-ups under way.
        var count = 1
        /// When the last of them began.
        var began: MonotonicMicroseconds
        var waiters: [Waiter] = []
    }

    /// How long an answer is used: short enough to follow a failover that works through names.
    private static var lifetime: MonotonicMicroseconds { 15_000_000 }
    /// How long it is used while nobody can say whether it still holds.
    private static var longestLifetime: MonotonicMicroseconds { 3_600_000_000 }
    /// A look-up that takes longer may never end: another one is begun beside it.
    private static var patience: MonotonicMicroseconds { 5_000_000 }
    private static var searchesOfOneNameMax: Int { 3 }
    /// Look-ups beside others, of all names: each has a thread, and other names are to have some as well.
    private static var besidesMax: Int { 8 }
    private static var entriesMax: Int { 1024 }

    private var answers: [ExactName: Answer] = [:]
    private var searches: [ExactName: Search] = [:]
    private var besides = 0
    private var trails: [ExactName: HostTrail] = [:]
    private var moved: Set<ExactName> = []
    /// The addresses that names have no more, as far as they have had them lately; see `HostTrail`.
    private(set) var left: [ExactName: Set<String>] = [:]

    /// Somebody asks for a name.
    ///
    /// - Parameter waiter: is told later, if nothing is known.
    /// - Returns: the addresses, none if they are to be waited for, and whether a look-up is to begin.
    mutating func ask(
        _ name: ExactName,
        now: MonotonicMicroseconds,
        waiter: Waiter
    ) -> (known: [SocketAddress], begins: Bool) {
        if let answer = self.answers[name] {
            if now < answer.expires { return (self.take(name), false) }
            if answer.isDoubtful, Self.mayServe(answer, now: now) {
                return (self.take(name), self.begin(name, now: now))
            }
        }
        let begins = self.begin(name, now: now)
        self.searches[name]?.waiters.append(waiter)
        return ([], begins)
    }

    /// Nobody waits, but where the name leads is to be followed.
    ///
    /// - Returns: whether a look-up is to begin.
    mutating func follow(_ name: ExactName, now: MonotonicMicroseconds) -> Bool {
        if let answer = self.answers[name], now < answer.expires { return false }
        return self.begin(name, now: now)
    }

    /// The names that have been found to lead elsewhere since this was last asked.
    mutating func takeMoved() -> Set<ExactName> {
        defer { self.moved = [] }
        return self.moved
    }

    /// All names are to be asked for again.
    mutating func forget() {
        for name in self.answers.keys {
            self.answers[name]?.expires = .min
            self.answers[name]?.isDoubtful = false
        }
    }

    /// Somebody does not want to wait for the look-up any longer.
    ///
    /// - Returns: the addresses that the name had, none if that is too long ago, and whether this is news.
    mutating func lastKnown(_ name: ExactName, now: MonotonicMicroseconds) -> (known: [SocketAddress], isNews: Bool) {
        guard let answer = self.answers[name], Self.mayServe(answer, now: now) else { return ([], false) }
        let isNews = now >= answer.expires && !answer.isDoubtful
        if isNews { self.answers[name]?.isDoubtful = true }
        return (self.take(name), isNews)
    }

    /// A look-up has ended.
    ///
    /// - Parameter began: when it did.
    /// - Returns: what whom is to be told, and whether the last known addresses are used from now on.
    mutating func ended(
        _ name: ExactName,
        _ resolution: SocketAddress.Resolution,
        began: MonotonicMicroseconds,
        now: MonotonicMicroseconds
    ) -> (told: [(Waiter, Outcome)], isNews: Bool) {
        let failure: HostResolver.Failure
        var isNews = false
        switch resolution {
        case .found(let addresses):
            failure = HostResolver.Failure(reason: "it has no address")
            self.note(addresses, of: name, began: began, now: now)
        case .failed(let reason):
            failure = HostResolver.Failure(reason: reason)
            self.note([], of: name, began: began, now: now)
        case .unavailable(let reason):
            failure = HostResolver.Failure(reason: reason)
            isNews = self.doubt(name, now: now)
        }
        let hasAnswer = self.answers[name].map { now < $0.expires } ?? false
        let waiters = self.end(name, keepsWaiters: !hasAnswer && resolution.isUnavailable)
        var told: [(Waiter, Outcome)] = []
        for waiter in waiters { told.append((waiter, hasAnswer ? .success(self.take(name)) : .failure(failure))) }
        return (told, isNews)
    }

    // MARK: Answers

    private static func mayServe(_ answer: Answer, now: MonotonicMicroseconds) -> Bool {
        now < answer.expires || now - answer.began < Self.longestLifetime
    }

    private mutating func take(_ name: ExactName) -> [SocketAddress] { self.answers[name]?.take() ?? [] }

    /// None where there is no such name.
    private mutating func note(
        _ addresses: [SocketAddress],
        of name: ExactName,
        began: MonotonicMicroseconds,
        now: MonotonicMicroseconds
    ) {
        let old = self.answers[name]
        // A look-up that began earlier may end later.
        if let old, old.began > began, now < old.expires { return }
        guard !addresses.isEmpty else {
            self.answers[name] = nil
            return
        }
        if old == nil, self.answers.count >= Self.entriesMax { self.answers.removeAll() }
        self.walk(name, to: addresses.map(\.description), now: now)
        self.answers[name] = Answer(addresses: addresses, began: began, expires: now + Self.lifetime)
    }

    private mutating func walk(_ name: ExactName, to addresses: [String], now: MonotonicMicroseconds) {
        if self.trails[name] == nil, self.trails.count >= Self.entriesMax {
            self.trails.removeAll()
            self.left.removeAll()
        }
        var trail = self.trails[name] ?? HostTrail()
        if trail.walk(to: addresses, now: now) { self.moved.insert(name) }
        self.left[name] = trail.left.isEmpty ? nil : trail.left
        self.trails[name] = trail
    }

    /// Nobody can say what the addresses are now: the last known ones are used for as long as another answer would be.
    ///
    /// - Returns: whether that is news.
    private mutating func doubt(_ name: ExactName, now: MonotonicMicroseconds) -> Bool {
        guard let answer = self.answers[name], now >= answer.expires, Self.mayServe(answer, now: now)
        else { return false }
        self.answers[name]?.isDoubtful = true
        self.answers[name]?.expires = now + Self.lifetime
        return !answer.isDoubtful
    }

    // MARK: Look-ups

    /// - Returns: whether one more look-up is to begin.
    private mutating func begin(_ name: ExactName, now: MonotonicMicroseconds) -> Bool {
        guard let search = self.searches[name] else {
            self.searches[name] = Search(began: now)
            return true
        }
        guard now - search.began > Self.patience, search.count < Self.searchesOfOneNameMax,
            self.besides < Self.besidesMax
        else { return false }
        self.searches[name]?.count += 1
        self.searches[name]?.began = now
        self.besides += 1
        return true
    }

    /// - Parameter keepsWaiters: as long as other look-ups of the name are under way.
    /// - Returns: those who are to be told something.
    private mutating func end(_ name: ExactName, keepsWaiters: Bool) -> [Waiter] {
        guard var search = self.searches.removeValue(forKey: name) else { return [] }
        search.count -= 1
        guard search.count > 0 else { return search.waiters }
        self.besides -= 1
        let waiters = keepsWaiters ? [] : search.waiters
        if !keepsWaiters { search.waiters = [] }
        self.searches[name] = search
        return waiters
    }
}

extension SocketAddress.Resolution {
    fileprivate var isUnavailable: Bool {
        if case .unavailable = self { true } else { false }
    }
}
