/// Runs a program over a text. One machine per run: it holds the places the program is in.
struct RegexMachine {
    private let program: RegexProgram
    private let text: [UInt32]
    /// Instructions that wait for a character, and those behind it.
    private var current: [Int] = []
    private var next: [Int] = []
    /// The step at which an instruction was seen last: each is entered once per step.
    private var seen: [Int]
    private var step = 0
    private var pending: [Int] = []

    init(_ program: RegexProgram, text: [UInt32]) {
        self.program = program
        self.text = text
        self.seen = [Int](repeating: 0, count: program.instructions.count)
    }

    /// Goes from one position of the text to another (forward or backward, as the program is made) and tells every
    /// position where it matches, until `visit` returns false or the program is in no place any more.
    ///
    /// - Parameter entersAnywhere: whether it may begin at every position of the way, not at the first only.
    mutating func run(from start: Int, to end: Int, entersAnywhere: Bool, _ visit: (Int) -> Bool) {
        var position = start
        self.current.removeAll(keepingCapacity: true)
        self.step = 1
        var isMatch = self.enter(0, at: position)
        swap(&self.current, &self.next)
        while true {
            if isMatch, !visit(position) { return }
            guard position != end, entersAnywhere || !self.current.isEmpty else { return }
            let isForward = self.program.direction == .forward
            let scalar = self.text[isForward ? position : position - 1]
            position += isForward ? 1 : -1
            self.step += 1
            self.next.removeAll(keepingCapacity: true)
            isMatch = false
            for place in self.current {
                guard case .set(let index) = self.program.instructions[place],
                    self.program.sets[index].contains(scalar)
                else { continue }
                if self.enter(place + 1, at: position) { isMatch = true }
            }
            if entersAnywhere, self.enter(0, at: position) { isMatch = true }
            swap(&self.current, &self.next)
        }
    }

    /// Follows everything that needs no character. Returns whether the program matches here.
    private mutating func enter(_ place: Int, at position: Int) -> Bool {
        var isMatch = false
        self.pending.append(place)
        while let place = self.pending.popLast() {
            guard self.seen[place] != self.step else { continue }
            self.seen[place] = self.step
            switch self.program.instructions[place] {
            case .set: self.next.append(place)
            case .jump(let target): self.pending.append(target)
            case .split(let first, let second):
                self.pending.append(second)
                self.pending.append(first)
            case .assert(let assertion):
                if self.holds(assertion, at: position) { self.pending.append(place + 1) }
            case .match: isMatch = true
            }
        }
        return isMatch
    }

    private func holds(_ assertion: RegexAssertion, at position: Int) -> Bool {
        let isBehindWord = position > 0 && RegexSet.isWord(self.text[position - 1])
        let isBeforeWord = position < self.text.count && RegexSet.isWord(self.text[position])
        switch assertion {
        case .textStart: return position == 0
        case .textEnd: return position == self.text.count
        case .wordStart: return !isBehindWord && isBeforeWord
        case .wordEnd: return isBehindWord && !isBeforeWord
        case .wordBoundary: return isBehindWord != isBeforeWord
        case .notWordBoundary: return isBehindWord == isBeforeWord
        }
    }
}
