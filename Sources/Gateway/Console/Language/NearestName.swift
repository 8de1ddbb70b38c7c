/// Finds what a user probably meant by a misspelt name. Pure functions.
enum NearestName {
    /// Longer words are not compared, which bounds the work that a client can cause.
    static let maximumLength = 64

    /// The candidate with the fewest single-character edits, if these are at most half of its length; the first of
    /// several equals.
    static func of(_ word: String, in candidates: [String]) -> String? {
        guard word.utf8.count <= Self.maximumLength else { return nil }
        let scored = candidates.map { (name: $0, edits: Self.edits(from: word, to: $0)) }
        guard let best = scored.min(by: { $0.edits < $1.edits }), best.edits * 2 <= best.name.utf8.count else {
            return nil
        }
        return best.name
    }

    /// Levenshtein distance by bytes.
    static func edits(from source: String, to target: String) -> Int {
        let target = Array(target.utf8)
        var previous = Array(0...target.count)
        for (row, byte) in source.utf8.enumerated() {
            var current = [row + 1]
            for (column, other) in target.enumerated() {
                let replaced = previous[column] + (byte == other ? 0 : 1)
                current.append(min(replaced, previous[column + 1] + 1, current[column] + 1))
            }
            previous = current
        }
        return previous[target.count]
    }
}
