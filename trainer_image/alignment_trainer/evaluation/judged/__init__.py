"""What judges say of answers: whom they are asked about, beside which texts, and what their verdicts show of themselves."""
