import Reactor

/// Where the name of a server has led, answer by answer, and which of its addresses are to be left: those that it has
/// no more.
///
/// An address that is not in an answer may still be one of the name's: a name may give its servers by turns, one or a
/// few at a time, and resolvers without a common cache give old answers beside new ones for a while. So an address is
/// left when no answer has had it for some time; at once only when an answer has nothing of that time, because the
/// server has moved, and not again and again, for then the name has long turns.
struct HostTrail: Sendable {
    /// An address that comes back within this time has not gone.
    private static let turnsMax: MonotonicMicroseconds = 300_000_000
    /// For how long an address that is left is known as such: servers that are being opened there meanwhile are left
    /// when they are open.
    private static let memory: MonotonicMicroseconds = 600_000_000
    /// Answers come faster than this, unless nobody can give one, or nobody asks.
    private static let silenceMax: MonotonicMicroseconds = 60_000_000
    private static let movesMax = 2
    /// A name that has not led elsewhere for so long is believed again.
    private static let quiet: MonotonicMicroseconds = 3_600_000_000

    /// The addresses that are to be left.
    private(set) var left: Set<String> = []
    /// When each address was last among those of an answer.
    private var seen: [String: MonotonicMicroseconds] = [:]
    private var answered: MonotonicMicroseconds?
    /// How often it has led elsewhere since it was quiet, and when it did last.
    private var moves = 0
    private var lastMove: MonotonicMicroseconds?

    /// An answer has come.
    ///
    /// - Returns: whether the name leads elsewhere, and all other addresses are left at once.
    mutating func walk(to addresses: [String], now: MonotonicMicroseconds) -> Bool {
        // No answer was there for an address to be missing in.
        let silence = now - (self.answered ?? now)
        if silence > Self.silenceMax { self.seen = self.seen.mapValues { $0 + silence } }
        self.answered = now
        let seen = self.seen
        let isKnown = addresses.contains { address in seen[address].map { now - $0 < Self.turnsMax } ?? false }
        let isMove = !isKnown && !seen.isEmpty && self.mayMove(now: now)
        for address in addresses { self.seen[address] = now }
        for (address, last) in self.seen where isMove || now - last >= Self.turnsMax { self.left.insert(address) }
        self.left.subtract(addresses)
        self.seen = self.seen.filter { now - $0.value < Self.memory }
        self.left.formIntersection(self.seen.keys)
        return isMove
    }

    private mutating func mayMove(now: MonotonicMicroseconds) -> Bool {
        if let lastMove, now - lastMove >= Self.quiet { self.moves = 0 }
        self.lastMove = now
        self.moves += 1
        return self.moves <= Self.movesMax
    }
}
