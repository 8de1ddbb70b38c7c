/// Finds the known key that a mistyped one most likely means.
enum NearestName {
    /// The candidate with the smallest distance, the first of several; nil only without candidates.
    static func find(_ name: String, among candidates: [String]) -> (name: String, distance: Int)? {
        var best: (name: String, distance: Int)?
        for candidate in candidates {
            let distance = Self.distance(name, candidate)
            if distance < best?.distance ?? Int.max { best = (candidate, distance) }
        }
        return best
    }

    /// Insertions, deletions, replacements and swaps of neighbours between two names, ignoring case and `-` for `_`.
    static func distance(_ left: String, _ right: String) -> Int {
        let first = Self.normalized(left)
        let second = Self.normalized(right)
        guard !first.isEmpty, !second.isEmpty else { return max(first.count, second.count) }
        var beforePrevious: [Int] = []
        var previous = Array(0...second.count)
        for row in 1...first.count {
            var current = [row]
            for column in 1...second.count {
                let isSame = first[row - 1] == second[column - 1]
                var cost = min(previous[column] + 1, current[column - 1] + 1, previous[column - 1] + (isSame ? 0 : 1))
                let isSwap =
                    row > 1 && column > 1 && first[row - 1] == second[column - 2]
                    && first[row - 2] == second[column - 1]
                if isSwap { cost = min(cost, beforePrevious[column - 2] + 1) }
                current.append(cost)
            }
            beforePrevious = previous
            previous = current
        }
        return previous[second.count]
    }

    /// Bounded, since the name comes from a file.
    private static func normalized(_ name: String) -> [Character] {
        name.lowercased().prefix(64).map { $0 == "-" ? "_" : $0 }
    }
}
