import Foundation
import Testing

@testable import HBA

/// Regular expressions match what PostgreSQL says they match, and their first group is the same (Oracle/make_regex.py).
@Suite struct RegexOracleTests {
    private struct Answer: Decodable {
        /// The expression.
        let p: String
        let error: String?
        /// By text: false for no match, null for a match without the group, else the group.
        let t: [String: Group]?
    }

    private enum Group: Decodable, Equatable {
        case mismatch
        case absent
        case text(String)

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if container.decodeNil() {
                self = .absent
            } else if let text = try? container.decode(String.self) {
                self = .text(text)
            } else {
                self = .mismatch
            }
        }
    }

    /// What this engine leaves out, by a word of the reason it gives.
    private static let leftOut = ["not supported", "repeated from zero times"]

    @Test func agreesWithPostgreSQL() throws {
        var compared = 0
        var groups = 0
        for answer in try OracleFile.lines("regex.jsonl", of: Answer.self) {
            let regex: HBARegex
            do throws(RegexError) {
                regex = try HBARegex(answer.p)
            } catch {
                let isExpected = answer.error != nil || Self.leftOut.contains { error.reason.contains($0) }
                #expect(isExpected, "\(answer.p): \(error.reason)")
                continue
            }
            #expect(answer.error == nil, "\(answer.p) is refused by PostgreSQL")
            let capturing = try? HBARegex(answer.p, captures: true)
            for (text, group) in answer.t ?? [:] {
                compared += 1
                #expect(regex.matches(text) == (group != .mismatch), "\(answer.p) on \(text)")
                guard let capturing, capturing.hasGroup, group != .mismatch else { continue }
                groups += 1
                let found = capturing.firstGroup(in: text).map { Group.text($0) } ?? .absent
                #expect(found == group, "\(answer.p) on \(text)")
            }
        }
        #expect(compared > 10_000)
        #expect(groups > 3_000)
    }
}

/// Answers of PostgreSQL, one JSON object per line.
enum OracleFile {
    static func lines<Line: Decodable>(_ name: String, of type: Line.Type) throws -> [Line] {
        let folder = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        let text = try String(contentsOfFile: folder + "/Oracle/" + name, encoding: .utf8)
        return try text.split(separator: "\n").map { try JSONDecoder().decode(type, from: Data($0.utf8)) }
    }
}
