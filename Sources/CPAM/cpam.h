/* libpam (Debian: libpam0g-dev). */
#include <security/pam_appl.h>
