-- A plan that a run failed by is not used again: the next request is planned, and told what is wrong.

alter table pgscore_data.known_plan alter column request drop not null;
comment on table pgscore_data.known_plan is 'What a request for a small table came to: it is planned and checked once, and again where the request, or the table as the catalogue has it, is another. A plan never changes, since runs wait that read by it; it goes with its read handle.';
comment on column pgscore_data.known_plan.request is 'Digest of the request and of what the catalogue says of the source; NULL once a run failed by it: then the request is planned anew.';
