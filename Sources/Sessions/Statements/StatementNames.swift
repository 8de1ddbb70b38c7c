/// A client's named statements: name -> statement. Looked up by the bytes of a message, without making a key.
///
/// Names are bytes, told apart by their first 63, as PostgreSQL's own table of prepared statements does
/// (`NAMEDATALEN`). Belongs to one client; grows with what it prepares, bounded by `countMax`.
struct StatementNames: Sendable {
    /// Bytes of a name that count.
    static let significantBytes = 63
    /// Statements one client may have prepared.
    static let countMax = 65_536

    private struct Entry: Sendable {
        var hash: UInt32
        var name: [UInt8]
        var statement: PreparedStatement
    }

    private var entries: ContiguousArray<Entry> = []
    /// Open addressing: index into `entries` plus one; 0 is free. Its count is a power of two, at least twice the
    /// entries'.
    private(set) var table: ContiguousArray<Int32> = []

    var count: Int { self.entries.count }
    var isFull: Bool { self.entries.count >= Self.countMax }
    var statements: [PreparedStatement] { self.entries.map(\.statement) }
    /// In no particular order.
    var all: [(name: [UInt8], statement: PreparedStatement)] {
        self.entries.map { (name: $0.name, statement: $0.statement) }
    }

    /// The statement named by the bytes at `range`.
    func find(_ bytes: borrowing Span<UInt8>, _ range: Range<Int>) -> PreparedStatement? {
        if self.entries.isEmpty { return nil }
        let name = range.prefix(Self.significantBytes)
        guard let index = self.index(bytes, name, hash: Self.hash(bytes, name)) else { return nil }
        return self.entries[index].statement
    }

    func find(_ name: [UInt8]) -> PreparedStatement? { self.find(name.span, 0..<name.count) }

    /// The statement with this id, under whichever name.
    func first(withID id: StatementID) -> PreparedStatement? {
        self.entries.first { $0.statement.id == id }?.statement
    }

    /// Sets or, with nil, removes.
    mutating func set(_ name: [UInt8], to statement: PreparedStatement?) {
        let name = Array(name.prefix(Self.significantBytes))
        let hash = Self.hash(name.span, 0..<name.count)
        if let index = self.index(name.span, 0..<name.count, hash: hash) {
            if let statement { self.entries[index].statement = statement } else { self.remove(at: index) }
        } else if let statement {
            self.entries.append(Entry(hash: hash, name: name, statement: statement))
            if self.entries.count * 2 > self.table.count { self.rebuild() } else { self.link(self.entries.count - 1) }
        }
    }

    mutating func removeAll() {
        self.entries = []
        self.table = []
    }

    // MARK: The table

    private func index(_ bytes: borrowing Span<UInt8>, _ name: Range<Int>, hash: UInt32) -> Int? {
        if self.table.isEmpty { return nil }
        let mask = self.table.count &- 1
        var slot = Int(hash) & mask
        while true {
            let found = Int(self.table[slot]) &- 1
            if found < 0 { return nil }
            if self.entries[found].hash == hash, Self.isEqual(self.entries[found].name, bytes, name) { return found }
            slot = (slot &+ 1) & mask
        }
    }

    private static func isEqual(_ known: [UInt8], _ bytes: borrowing Span<UInt8>, _ name: Range<Int>) -> Bool {
        if known.count != name.count { return false }
        for index in 0..<known.count where known[index] != bytes[name.lowerBound &+ index] { return false }
        return true
    }

    /// Keyed: names that fall into one place would make each look-up walk past all of them.
    private static func hash(_ bytes: borrowing Span<UInt8>, _ range: Range<Int>) -> UInt32 {
        UInt32(truncatingIfNeeded: TextHash.keyed.code(bytes.extracting(range)))
    }

    private mutating func link(_ index: Int) {
        let mask = self.table.count &- 1
        var slot = Int(self.entries[index].hash) & mask
        while self.table[slot] != 0 { slot = (slot &+ 1) & mask }
        self.table[slot] = Int32(clamping: index &+ 1)
    }

    private mutating func rebuild() {
        var capacity = 8
        while capacity < self.entries.count * 4 { capacity *= 2 }
        self.table = ContiguousArray(repeating: 0, count: capacity)
        for index in self.entries.indices { self.link(index) }
    }

    /// Takes the entry out of the table, where what follows moves up, and moves the last entry into its place.
    private mutating func remove(at index: Int) {
        let mask = self.table.count &- 1
        var hole = self.slot(of: index)
        var next = hole
        while true {
            next = (next &+ 1) & mask
            let found = Int(self.table[next]) &- 1
            if found < 0 { break }
            // It may move to the hole unless its own place lies behind the hole.
            let home = Int(self.entries[found].hash) & mask
            if (next &- home) & mask < (next &- hole) & mask { continue }
            self.table[hole] = self.table[next]
            hole = next
        }
        self.table[hole] = 0
        let last = self.entries.count &- 1
        if index != last { self.table[self.slot(of: last)] = Int32(clamping: index &+ 1) }
        self.entries.swapAt(index, last)
        self.entries.removeLast()
        if self.entries.isEmpty { self.table = [] }
    }

    /// Where in the table the entry stands.
    private func slot(of index: Int) -> Int {
        let mask = self.table.count &- 1
        var slot = Int(self.entries[index].hash) & mask
        while Int(self.table[slot]) &- 1 != index { slot = (slot &+ 1) & mask }
        return slot
    }
}
