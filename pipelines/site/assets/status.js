// Compares the reader's clock with the day that status.html names, and shows its warning once that has passed.
// The page says the same in words; without this script nothing is missing.
"use strict";

const limit = document.getElementById("stale-from");
const warning = document.getElementById("stale-by-now");
if (limit && warning && Date.now() >= Date.parse(limit.dateTime)) {
  warning.hidden = false;
}
