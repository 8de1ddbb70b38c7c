/// Finds slots by hash: open addressing with linear probing, at most half full. Equal hashes are told apart by the
/// owner, who looks at each slot that a probe offers.
///
/// The table grows with its use and is never shrunk; removing moves what follows, so nothing degrades with time.
struct SlotTable: Sendable {
    private struct Cell: Sendable {
        var hash: UInt32
        var slot: Int32
    }

    struct Probe {
        fileprivate let hash: UInt32
        fileprivate var index: Int
    }

    /// A power of two, or empty.
    private var cells: ContiguousArray<Cell> = []
    private var count = 0

    private var mask: Int { self.cells.count &- 1 }

    func probe(_ hash: UInt32) -> Probe {
        Probe(hash: hash, index: Int(hash) & self.mask)
    }

    /// The next slot with the probe's hash; nil when there is none left.
    func next(_ probe: inout Probe) -> Int32? {
        if self.cells.isEmpty { return nil }
        while true {
            let cell = self.cells[probe.index]
            if cell.slot == SlotOrder.none { return nil }
            probe.index = (probe.index &+ 1) & self.mask
            if cell.hash == probe.hash { return cell.slot }
        }
    }

    mutating func insert(_ slot: Int32, hash: UInt32) {
        if self.count * 2 >= self.cells.count { self.grow() }
        self.count += 1
        self.place(Cell(hash: hash, slot: slot))
    }

    mutating func remove(_ slot: Int32, hash: UInt32) {
        if self.cells.isEmpty { return }
        var hole = Int(hash) & self.mask
        while self.cells[hole].slot != slot {
            if self.cells[hole].slot == SlotOrder.none { return }
            hole = (hole + 1) & self.mask
        }
        self.count -= 1
        var index = hole
        while true {
            index = (index + 1) & self.mask
            let cell = self.cells[index]
            if cell.slot == SlotOrder.none { break }
            // It may move to the hole unless its own place lies behind the hole.
            let home = Int(cell.hash) & self.mask
            if (index - home) & self.mask < (index - hole) & self.mask { continue }
            self.cells[hole] = cell
            hole = index
        }
        self.cells[hole].slot = SlotOrder.none
    }

    /// Keeps the memory.
    mutating func removeAll() {
        self.count = 0
        for index in self.cells.indices { self.cells[index].slot = SlotOrder.none }
    }

    private mutating func place(_ cell: Cell) {
        var index = Int(cell.hash) & self.mask
        while self.cells[index].slot != SlotOrder.none { index = (index + 1) & self.mask }
        self.cells[index] = cell
    }

    private mutating func grow() {
        let old = self.cells
        self.cells = ContiguousArray(
            repeating: Cell(hash: 0, slot: SlotOrder.none),
            count: max(8, old.count * 2)
        )
        for cell in old where cell.slot != SlotOrder.none { self.place(cell) }
    }
}
