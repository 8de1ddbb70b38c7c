/// A compiled regular expression: instructions for a machine that is in many places at once (Thompson's construction).
/// Matching takes time in proportion to the length of the text times the number of instructions, on any input.
///
/// Immutable; any thread may run one.
struct RegexProgram: Sendable {
    enum Instruction: Sendable {
        /// Consumes one character of `sets[index]`, then goes on with the next instruction.
        case set(Int)
        /// Goes on with both.
        case split(Int, Int)
        case jump(Int)
        case assert(RegexAssertion)
        case match
    }

    /// Which way through the text.
    enum Direction: Sendable {
        case forward
        case backward
    }

    /// The most instructions of one expression, repetitions written out.
    static let maximumSize = 4096

    private(set) var instructions: [Instruction] = []
    private(set) var sets: [RegexSet] = []
    let direction: Direction

    /// - Throws: when the program would be longer than ``maximumSize``.
    init(_ node: RegexNode, _ direction: Direction) throws(RegexError) {
        self.direction = direction
        try self.emit(node)
        try self.append(.match)
    }

    private mutating func append(_ instruction: Instruction) throws(RegexError) {
        guard self.instructions.count < Self.maximumSize else {
            throw RegexError(reason: "the expression is too large", offset: 0)
        }
        self.instructions.append(instruction)
    }

    private mutating func emit(_ node: RegexNode) throws(RegexError) {
        switch node {
        case .empty: break
        case .set(let set):
            try self.append(.set(self.sets.count))
            self.sets.append(set)
        case .assertion(let assertion): try self.append(.assert(assertion))
        case .concatenation(let parts):
            switch self.direction {
            case .forward: for part in parts { try self.emit(part) }
            case .backward: for part in parts.reversed() { try self.emit(part) }
            }
        case .alternation(let branches): try self.emit(branches)
        case .group(let inner, _): try self.emit(inner)
        case .repetition(let inner, let quantifier): try self.emit(inner, quantifier)
        }
    }

    private mutating func emit(_ branches: [RegexNode]) throws(RegexError) {
        var exits: [Int] = []
        for (index, branch) in branches.enumerated() {
            let isLast = index == branches.count - 1
            let split = self.instructions.count
            if !isLast { try self.append(.split(split + 1, split + 1)) }
            try self.emit(branch)
            if !isLast {
                exits.append(self.instructions.count)
                try self.append(.jump(0))
                self.instructions[split] = .split(split + 1, self.instructions.count)
            }
        }
        for exit in exits { self.instructions[exit] = .jump(self.instructions.count) }
    }

    private mutating func emit(_ inner: RegexNode, _ quantifier: RegexQuantifier) throws(RegexError) {
        for _ in 0..<quantifier.minimum {
            let before = self.instructions.count
            try self.emit(inner)
            // Nothing many times is nothing: no round after round for it.
            if self.instructions.count == before { return }
        }
        guard let maximum = quantifier.maximum else {
            let split = self.instructions.count
            try self.append(.split(split + 1, split + 1))
            try self.emit(inner)
            try self.append(.jump(split))
            self.instructions[split] = .split(split + 1, self.instructions.count)
            return
        }
        var splits: [Int] = []
        for _ in quantifier.minimum..<max(maximum, quantifier.minimum) {
            splits.append(self.instructions.count)
            try self.append(.split(0, 0))
            try self.emit(inner)
        }
        for split in splits { self.instructions[split] = .split(split + 1, self.instructions.count) }
    }
}
