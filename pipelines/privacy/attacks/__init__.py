"""The attacks A1 to A8, A10 and A12 to A14 on what is told about a study: functions of what an attacker knows.

Belongs here: trying to learn about single interviews from what is told, and saying how often it worked. Does not
belong here: the judgement that follows (`audit`), attacks on files (`audit`, `tripwire`), and what is told.

An attack may use the truth to see whether it succeeded and to look where success is possible, never to succeed.
"""
