/// One order over slot indices, and within it the order of each worker's own: a doubly linked list of all, threaded
/// with one list per worker.
///
/// The links stand in an array beside the slots they order, so putting in and taking out touch a few words and allocate
/// nothing. Owned by one pool machine, under the pool's lock.
struct WorkerOrder: Sendable {
    private struct Links: Sendable {
        var previous = WorkerOrder.none
        var next = WorkerOrder.none
        var previousOwn = WorkerOrder.none
        var nextOwn = WorkerOrder.none
    }

    private struct Ends: Sendable {
        var first = WorkerOrder.none
        var last = WorkerOrder.none
    }

    private static let none: Int32 = -1

    let workerCount: Int
    private var links: ContiguousArray<Links> = []
    private var ends = Ends()
    private var ownEnds: ContiguousArray<Ends>

    init(workerCount: Int) {
        self.workerCount = workerCount
        self.ownEnds = ContiguousArray(repeating: Ends(), count: workerCount)
    }

    /// Makes room for one more slot index.
    mutating func addSlot() {
        self.links.append(Links())
    }

    var first: Int? { Self.index(self.ends.first) }

    var last: Int? { Self.index(self.ends.last) }

    func first(of worker: Int) -> Int? { Self.index(self.ownEnds[worker].first) }

    func last(of worker: Int) -> Int? { Self.index(self.ownEnds[worker].last) }

    func next(after index: Int) -> Int? { Self.index(self.links[index].next) }

    func nextOfSameWorker(after index: Int) -> Int? { Self.index(self.links[index].nextOwn) }

    mutating func append(_ index: Int, worker: Int) {
        let own = Int32(truncatingIfNeeded: index)
        let previous = self.ends.last
        let previousOwn = self.ownEnds[worker].last
        // One look at the array for all writes: a span checks bounds at each of them, but ownership only once.
        var links = self.links.mutableSpan
        links[index] = Links(previous: previous, previousOwn: previousOwn)
        if previous != Self.none { links[Int(previous)].next = own }
        if previousOwn != Self.none { links[Int(previousOwn)].nextOwn = own }
        if previous == Self.none { self.ends.first = own }
        self.ends.last = own
        self.setOwnEnds(of: worker, first: previousOwn == Self.none ? own : nil, last: own)
    }

    /// Puts `index` before `successor`, and among the worker's own before `ownSuccessor`, at their end without one.
    mutating func insert(_ index: Int, before successor: Int, worker: Int, beforeOwn ownSuccessor: Int?) {
        let own = Int32(truncatingIfNeeded: index)
        let lastOwn = self.ownEnds[worker].last
        var links = self.links.mutableSpan
        let previous = links[successor].previous
        var placed = Links(previous: previous, next: Int32(truncatingIfNeeded: successor), previousOwn: lastOwn)
        if let ownSuccessor {
            placed.previousOwn = links[ownSuccessor].previousOwn
            placed.nextOwn = Int32(truncatingIfNeeded: ownSuccessor)
            links[ownSuccessor].previousOwn = own
        }
        let previousOwn = placed.previousOwn
        links[index] = placed
        links[successor].previous = own
        if previous != Self.none { links[Int(previous)].next = own }
        if previousOwn != Self.none { links[Int(previousOwn)].nextOwn = own }
        if previous == Self.none { self.ends.first = own }
        self.setOwnEnds(
            of: worker,
            first: previousOwn == Self.none ? own : nil,
            last: ownSuccessor == nil ? own : nil
        )
    }

    /// Takes `index`, which is in the order under `worker`, out.
    mutating func remove(_ index: Int, worker: Int) {
        var links = self.links.mutableSpan
        let gone = links[index]
        if gone.previous != Self.none { links[Int(gone.previous)].next = gone.next }
        if gone.next != Self.none { links[Int(gone.next)].previous = gone.previous }
        if gone.previousOwn != Self.none { links[Int(gone.previousOwn)].nextOwn = gone.nextOwn }
        if gone.nextOwn != Self.none { links[Int(gone.nextOwn)].previousOwn = gone.previousOwn }
        if gone.previous == Self.none { self.ends.first = gone.next }
        if gone.next == Self.none { self.ends.last = gone.previous }
        self.setOwnEnds(
            of: worker,
            first: gone.previousOwn == Self.none ? gone.nextOwn : nil,
            last: gone.nextOwn == Self.none ? gone.previousOwn : nil
        )
    }

    private mutating func setOwnEnds(of worker: Int, first: Int32?, last: Int32?) {
        if let first { self.ownEnds[worker].first = first }
        if let last { self.ownEnds[worker].last = last }
    }

    private static func index(_ link: Int32) -> Int? {
        link == Self.none ? nil : Int(link)
    }
}
