/// Finds the known word that a misspelt one most likely stands for.
enum NearestWord {
    /// Words longer than this are not compared: the work stays bounded whatever a file holds.
    private static let longestWord = 64

    /// The nearest of `candidates`, the first in alphabetical order on a tie; `nil` when none is near enough (more than
    /// two edits and more than a third of the word, or more than `limit` edits).
    static func of(
        _ word: String,
        among candidates: some Sequence<String>,
        within limit: Int = .max
    ) -> String? {
        let typed = Array(word.lowercased().utf8)
        guard typed.count <= Self.longestWord else { return nil }
        let ranked = candidates.sorted().map { (word: $0, distance: Self.distance(typed, Array($0.utf8))) }
        guard let best = ranked.min(by: { $0.distance < $1.distance }) else { return nil }
        let isNear = best.distance <= min(limit, max(2, best.word.utf8.count / 3))
        return isNear && best.distance < typed.count ? best.word : nil
    }

    /// The number of insertions, deletions and replacements that lead from one word to the other.
    private static func distance(_ from: [UInt8], _ to: [UInt8]) -> Int {
        var previous = Array(0...to.count)
        for (row, byte) in from.enumerated() {
            var current = [row + 1]
            for (column, other) in to.enumerated() {
                let replaced = previous[column] + (byte == other ? 0 : 1)
                current.append(min(replaced, previous[column + 1] + 1, current[column] + 1))
            }
            previous = current
        }
        return previous.last ?? 0
    }
}
