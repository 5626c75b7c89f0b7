"""The console: web pages for people, rendered on the server.

    app             the ASGI application: the table of pages, and the path of every request
    page_context    a request to a page with its caller; how a page asks operations and answers
    read_cache      what was read of a project, for requests with the same change mark
    shown_once      what a page of a session shows once, after the answer that leads to it
    origins         which requests come from the console's own pages
    sign_in         sign-in by key and by link, sign-out, and the limit of failed tries
    rendering       templates, assets and the headers of every answer
    overview        the page of gateways and problems; `grid` draws the tunnels of a gateway
    lists           lists of a project, and what the node is able to do
    forms           fields with the paths of the API, the body that they make, and what the rules say beside each
    changes         the pages that create, change and delete a resource, whatever its kind
    bulk            an action on several resources of a list
    gateways, customer_gateways, tags, keys    the pages of each of them
    connection      the page of a connection; `negotiation` draws an attempt, `comparison` has both sides' values
    new_connection  the wizard for a connection, and the wait for its device
    connection_form the forms that create and change a connection

Invariant: a page reads and changes resources by `operations.perform` alone, as the API does, with the caller of its session. A page needs no
script: the script `live.js` refreshes what is shown, and works with every page that has an ETag. It has a form with `data-check` checked while a
person types: it sends the form, and merges the page that the server answers.
"""
