"""Where taggers disagree: pure logic, no framework."""
