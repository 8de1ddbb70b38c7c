import Reactor

/// Which of the servers that could not be opened are worth a line of the log. While PostgreSQL is down every client
/// that comes leads to an attempt, and a line for each would push everything else out of the log. Protected by its
/// pool's lock.
struct OpenFailureLog {
    /// How long a text is not told again, unless a server was opened meanwhile.
    private static let interval: MonotonicMicroseconds = 1_000_000
    /// Different texts told in that time.
    private static let textsMax = 8

    /// What was told since `began`.
    private var texts: [String] = []
    private var began: MonotonicMicroseconds = 0
    /// Failures without a line of their own since the last line.
    private var unlogged = 0

    /// A server could not be opened, for this reason.
    ///
    /// - Returns: how many failures had no line since the last one; nil when this one is to have none.
    mutating func failed(_ text: String, now: MonotonicMicroseconds) -> Int? {
        if self.texts.isEmpty || now - self.began >= Self.interval {
            self.texts.removeAll(keepingCapacity: true)
            self.began = now
        }
        guard self.texts.count < Self.textsMax, !self.texts.contains(text) else {
            self.unlogged += 1
            return nil
        }
        self.texts.append(text)
        return self.takeUnlogged()
    }

    /// A server was opened: the next failure is news.
    ///
    /// - Returns: how many failures had no line since the last one.
    mutating func opened() -> Int {
        self.texts = []
        return self.takeUnlogged()
    }

    private mutating func takeUnlogged() -> Int {
        let taken = self.unlogged
        self.unlogged = 0
        return taken
    }
}
