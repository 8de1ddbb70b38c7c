import Foundation
import HBA

/// What a policy says to one question, for people and for programs.
struct HBAAnswer: Encodable {
    /// A rule before the deciding one, and why it does not match.
    struct Skipped: Encodable {
        let file: String
        let line: Int
        let rule: String
        let reason: String
    }

    /// `method`, `reject`, `no-match`, or `undecided`.
    let verdict: String
    /// `roles`, `host_name` or `interfaces`, when undecided.
    let needs: String?
    let method: String?
    /// Values of secret options are replaced by asterisks.
    let options: [String: String]
    /// Of the rule that decides, or that the decision depends on.
    let file: String?
    let line: Int?
    let rules: [Skipped]

    private let rule: HBARule?

    init(_ policy: HBAPolicy, _ asked: HBAQuestionLine) {
        var skipped: [Skipped] = []
        var last: RuleVerdict?
        for verdict in policy.explain(asked.question, facts: asked.facts) {
            guard case .mismatch = verdict.outcome else {
                last = verdict
                break
            }
            let rule = verdict.rule
            skipped.append(Skipped(file: rule.file, line: rule.line, rule: rule.description, reason: verdict.text))
        }
        self.rules = skipped
        self.rule = last?.rule
        self.method = last?.rule.method
        self.file = last?.rule.file
        self.line = last?.rule.line
        self.options = Dictionary(
            (last?.rule.options ?? []).map { ($0.name, $0.shownValue) },
            uniquingKeysWith: { first, _ in first }
        )
        switch last?.outcome {
        case .undecided(let need, _):
            self.verdict = "undecided"
            self.needs = Self.word(need)
        case .decides:
            self.verdict = last?.rule.isReject == true ? "reject" : "method"
            self.needs = nil
        case .mismatch, .notReached, nil:
            self.verdict = "no-match"
            self.needs = nil
        }
    }

    private static func word(_ need: HBANeed) -> String {
        switch need {
        case .roles: "roles"
        case .hostName: "host_name"
        case .interfaces: "interfaces"
        }
    }

    private enum CodingKeys: String, CodingKey {
        case verdict, needs, method, options, file, line, rules
    }

    /// Every key is there; `needs` only when there is a need.
    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(self.verdict, forKey: .verdict)
        try container.encodeIfPresent(self.needs, forKey: .needs)
        try container.encode(self.method, forKey: .method)
        try container.encode(self.options, forKey: .options)
        try container.encode(self.file, forKey: .file)
        try container.encode(self.line, forKey: .line)
        try container.encode(self.rules, forKey: .rules)
    }

    /// One line of JSON.
    func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }

    func jsonLine() throws(HBAQuestionLine.Problem) -> String {
        do { return try self.json() } catch { throw HBAQuestionLine.Problem(reason: "the answer cannot be written") }
    }

    /// The rules that do not match with their reasons, then the one that decides.
    var text: String {
        var lines: [String] = []
        for skipped in self.rules {
            lines.append("\(skipped.file):\(skipped.line): \(skipped.rule)")
            lines.append("    \(skipped.reason)")
        }
        if let rule = self.rule { lines.append("\(rule.file):\(rule.line): \(rule)") }
        lines.append(self.rule == nil ? self.conclusion : "    \(self.conclusion)")
        return lines.joined(separator: "\n")
    }

    private var conclusion: String {
        switch self.verdict {
        case "method": "decides: method \(self.method ?? "")"
        case "reject": "decides: refused"
        case "undecided" where self.needs == "roles": "undecided: depends on the roles of the user (--role, --no-roles)"
        case "undecided" where self.needs == "interfaces":
            "undecided: depends on the addresses of this machine, which the system does not tell"
        case "undecided": "undecided: depends on the host name of the client (--host-name, --no-host-name)"
        default: "no rule matches: refused"
        }
    }
}
