/// The changes that may still be taken back, oldest first.
///
/// A few are looked through. Of more, a tally for each subject says what is asked of every message, so that it costs
/// the same however many messages a client sends before it reads an answer. Nothing is tallied before it is asked for:
/// within a single batch, nothing is.
struct ChangeLog: RandomAccessCollection, Sendable {
    /// What a subject's changes come to.
    private struct Tally {
        var count = 0
        /// The last batch that changes it, and how many of the changes are of that batch.
        var batch = 0
        var batchCount = 0
    }

    /// So many are looked through.
    static let scannedMax = 16
    /// Memory for so many is kept when there are none.
    private static let keptMax = 64

    /// Those in front of `head` are gone.
    private var changes: ContiguousArray<StatementChange> = []
    private var head = 0
    private var tallies: [StatementChange.Subject: Tally] = [:]
    /// Those from `head` up to here are in `tallies`.
    private var tallied = 0

    var startIndex: Int { self.head }
    var endIndex: Int { self.changes.count }
    subscript(position: Int) -> StatementChange { self.changes[position] }

    /// The batch of the oldest.
    var firstBatch: Int? { self.head < self.changes.count ? self.changes[self.head].batch : nil }

    /// Whether batches before `open` change the subject, and whether `open` does, which no other follows.
    mutating func batches(of subject: StatementChange.Subject, open: Int) -> (areEarlier: Bool, isOpen: Bool) {
        if self.updateTallies() {
            guard let tally = self.tallies[subject] else { return (false, false) }
            guard tally.batch == open else { return (tally.batch < open, false) }
            return (tally.count > tally.batchCount, tally.batchCount > 0)
        }
        var found = (areEarlier: false, isOpen: false)
        for index in self.head..<self.changes.count where self.changes[index].subject == subject {
            if self.changes[index].batch < open { found.areEarlier = true }
            if self.changes[index].batch == open { found.isOpen = true }
        }
        return found
    }

    mutating func append(_ change: StatementChange) { self.changes.append(change) }

    mutating func removeAll() {
        self.changes.removeAll(keepingCapacity: self.changes.capacity <= Self.keptMax)
        self.head = 0
        if self.tallied > 0 { self.tallies = [:] }
        self.tallied = 0
    }

    /// Removes those of batches before `batch`.
    mutating func removeAll(before batch: Int) {
        var end = self.head
        while end < self.changes.count, self.changes[end].batch < batch { end &+= 1 }
        self.remove(self.head..<end)
    }

    /// Removes those of messages before `sequence`.
    mutating func removeAll(beforeSequence sequence: Int) {
        var end = self.head
        while end < self.changes.count, self.changes[end].sequence < sequence { end &+= 1 }
        self.remove(self.head..<end)
    }

    // MARK: Taking back

    /// Those of the batch from the message `sequence` on. Batches and messages follow each other. (Only a COPY takes
    /// numbers of batches back, and a server that has got more than COPY messages by then breaks the connection.)
    func range(of batch: Int, from sequence: Int) -> Range<Int> {
        var (end, high) = (self.head, self.changes.count)
        while end < high {
            let middle = (end &+ high) / 2
            if self.changes[middle].batch <= batch { end = middle &+ 1 } else { high = middle }
        }
        var start = end
        while start > self.head {
            let change = self.changes[start &- 1]
            guard change.batch == batch, change.sequence >= sequence else { break }
            start &-= 1
        }
        return start..<end
    }

    /// The subject's first change from `start` on, where the changes of batches behind `batch` begin.
    mutating func first(of subject: StatementChange.Subject, from start: Int, behind batch: Int) -> Int? {
        if start == self.changes.count { return nil }
        if self.updateTallies() {
            guard let tally = self.tallies[subject], tally.batch > batch else { return nil }
        }
        return (start..<self.changes.count).first { self.changes[$0].subject == subject }
    }

    mutating func setBefore(_ before: StatementChange.Before, at index: Int) { self.changes[index].before = before }

    /// Removes the changes at `range`. Those in front of it, if any, move up: they are of the batch that fails, and
    /// any number of batches may follow.
    mutating func remove(_ range: Range<Int>) {
        if range.isEmpty { return }
        for index in range where index < self.tallied { self.untally(self.changes[index]) }
        for offset in 0..<(range.lowerBound &- self.head) {
            self.changes.swapAt(range.upperBound &- 1 &- offset, range.lowerBound &- 1 &- offset)
        }
        let isBehind = self.tallied <= range.lowerBound
        self.tallied = isBehind ? self.tallied &+ range.count : Swift.max(self.tallied, range.upperBound)
        self.head &+= range.count
        if self.head == self.changes.count { return self.removeAll() }
        if self.head > self.changes.count / 2 {
            self.changes.removeSubrange(0..<self.head)
            self.tallied &-= self.head
            self.head = 0
        }
    }

    // MARK: Tallies

    /// False while there are few enough to be looked through.
    private mutating func updateTallies() -> Bool {
        if self.tallied == self.head, self.count <= Self.scannedMax { return false }
        while self.tallied < self.changes.count {
            let change = self.changes[self.tallied]
            var tally = self.tallies[change.subject] ?? Tally(batch: change.batch)
            if tally.batch != change.batch {
                tally.batch = change.batch
                tally.batchCount = 0
            }
            tally.count &+= 1
            tally.batchCount &+= 1
            self.tallies[change.subject] = tally
            self.tallied &+= 1
        }
        return true
    }

    private mutating func untally(_ change: StatementChange) {
        guard var tally = self.tallies[change.subject] else { return }
        tally.count &-= 1
        if change.batch == tally.batch { tally.batchCount &-= 1 }
        self.tallies[change.subject] = tally.count > 0 ? tally : nil
    }
}
