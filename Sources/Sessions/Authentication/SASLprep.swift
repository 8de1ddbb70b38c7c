/// Preparation of passwords before they are hashed by SCRAM (RFC 4013), as far as PostgreSQL's own result can be met.
///
/// PostgreSQL hashes the prepared password, or the raw bytes when preparation fails: invalid UTF-8, a prohibited or
/// unassigned (Unicode 3.2) character, a mixture of writing directions, nothing left. The rules here:
///
/// - ASCII passwords and invalid UTF-8 are taken as they are, exactly like PostgreSQL.
/// - Special spaces become U+0020 and invisible characters are dropped when every other character is one that
///   normalisation form KC leaves alone; failing checks fall back to the raw bytes, exactly like PostgreSQL.
/// - Characters that keyboards and word processors give and form KC replaces (the micro sign, superscripts, ligatures,
///   full-width letters) are replaced alike: ``SASLprepForms``.
/// - A password that normalisation would change otherwise (letter and combining accent as two characters, rarer
///   symbols), and one that needs a mapping and has right-to-left letters, is taken raw. PostgreSQL may hash another
///   form of it; such a password has to be entered in its composed form.
enum SASLprep {
    static func prepare(_ password: SecretBytes) -> SecretBytes {
        var bytes = password.exposed()
        defer { bytes.wipe() }
        guard !bytes.allSatisfy({ byte in byte < 0x80 }), let text = String(validating: bytes, as: UTF8.self) else {
            return password
        }
        return self.map(text).map { mapped in SecretBytes(mapped) } ?? password
    }

    /// The prepared text where mapping changes something and its result is certain, else nil: then raw bytes are right,
    /// for an unchanged text equals them whether its checks pass or fail.
    private static func map(_ text: String) -> String? {
        var mapped = String.UnicodeScalarView()
        var isChanged = false
        for scalar in text.unicodeScalars {
            if self.isSpecialSpace(scalar.value) {
                mapped.append(" ")
                isChanged = true
            } else if self.isMappedToNothing(scalar.value) {
                isChanged = true
            } else if let form = SASLprepForms.form(of: scalar.value) {
                mapped.append(contentsOf: form.unicodeScalars)
                isChanged = true
            } else {
                // Beside plain characters the others stay what they have been made.
                guard self.isPlain(scalar) else { return nil }
                mapped.append(scalar)
            }
        }
        return isChanged && !mapped.isEmpty ? String(mapped) : nil
    }

    /// Table C.1.2 of RFC 3454.
    private static func isSpecialSpace(_ code: UInt32) -> Bool {
        switch code {
        case 0xa0, 0x1680, 0x2000...0x200b, 0x202f, 0x205f, 0x3000: true
        default: false
        }
    }

    /// Table B.1 of RFC 3454.
    private static func isMappedToNothing(_ code: UInt32) -> Bool {
        switch code {
        case 0xad, 0x34f, 0x1806, 0x180b...0x180d, 0x200c, 0x200d, 0x2060, 0xfe00...0xfe0f, 0xfeff: true
        default: false
        }
    }

    /// Whether a character is allowed, assigned in Unicode 3.2, left to right or neutral, and left alone by form KC in
    /// whatever company it stands.
    private static func isPlain(_ scalar: Unicode.Scalar) -> Bool {
        let properties = scalar.properties
        if scalar.value < 0x80 {
            return properties.generalCategory != .control
        }
        guard let age = properties.age, (age.major, age.minor) <= (3, 2) else { return false }
        switch properties.generalCategory {
        case .control, .format, .privateUse, .surrogate, .unassigned, .lineSeparator, .paragraphSeparator:
            return false
        case .nonspacingMark, .spacingMark, .enclosingMark:
            return false
        default:
            break
        }
        return !self.isRightToLeftOrJamo(scalar.value) && !self.isProhibitedSymbol(scalar.value)
            && self.isStableUnderNormalisation(scalar)
    }

    /// Blocks with right-to-left letters, and Hangul parts, which may join with their neighbours.
    private static func isRightToLeftOrJamo(_ code: UInt32) -> Bool {
        switch code {
        case 0x590...0x8ff, 0x1100...0x11ff, 0xfb1d...0xfdff, 0xfe70...0xfeff: true
        default: false
        }
    }

    /// Symbols prohibited by tables C.6 and C.7 of RFC 3454 that no category above covers.
    private static func isProhibitedSymbol(_ code: UInt32) -> Bool {
        switch code {
        case 0x2ff0...0x2ffb, 0xfffc, 0xfffd: true
        default: false
        }
    }

    /// Form KC changes nothing that its case-folding relative leaves alone; an upper-case letter is judged by its
    /// lower-case partner, and letters that decompose into a single other one are excluded by hand.
    private static func isStableUnderNormalisation(_ scalar: Unicode.Scalar) -> Bool {
        if !scalar.properties.changesWhenNFKCCaseFolded { return true }
        switch scalar.value {
        case 0xdf: return true
        case 0x3f4, 0x1f00...0x1fff, 0x2100...0x214f: return false
        default: break
        }
        let lower = scalar.properties.lowercaseMapping.unicodeScalars
        guard let first = lower.first, lower.count == 1, first != scalar else { return false }
        return !first.properties.changesWhenNFKCCaseFolded
    }
}
